"""What do bodies look like to readers of `/openapi.json`? The routes read raw bytes, so their schemas are said here."""

from typing import Any

from acestep_serverless.contract.batch import NAME_LIMIT
from acestep_serverless.contract.job import POLICY_BOUNDS


def _whole(name: str) -> dict[str, Any]:
    bounds = POLICY_BOUNDS[name]
    return {"type": "integer", "minimum": bounds.minimum, "maximum": bounds.maximum, "description": "milliseconds"}


JOB_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["input"],
    "additionalProperties": False,
    "properties": {
        "input": {"description": "what the handler gets, such as {'caption': '...'}", "not": {"type": "null"}},
        "webhook": {"type": ["string", "null"], "format": "uri", "description": "told of the end of the job"},
        "policy": {
            "type": ["object", "null"],
            "additionalProperties": False,
            "properties": {
                "executionTimeout": _whole("executionTimeout"),
                "ttl": _whole("ttl"),
                "lowPriority": {"type": "boolean"},
            },
        },
        "s3Config": {"type": ["object", "null"], "description": "passed to the worker, deleted at the end"},
        "id": {"description": "ignored: ids are made here"},
    },
}
"""The body of `/run` and `/runsync` as JSON Schema; `contract.job.parse_job_body` is the judge."""


NAME_BODY: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {"name": {"type": "string", "minLength": 1, "maxLength": NAME_LIMIT}},
}
"""A batch's new name; `contract.batch.parse_name` is the judge."""


def json_body(schema: dict[str, Any]) -> dict[str, Any]:
    """Give a route's `openapi_extra` for a required JSON body of this schema."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


TAKES_A_JOB = json_body(JOB_BODY)
