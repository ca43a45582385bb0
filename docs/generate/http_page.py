"""What can be sent to the gateway? One section a route for docs/http.md, from the app's own OpenAPI description."""

import re
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from settings_table import table

from acestep_serverless.assembly.core import build
from acestep_serverless.contract import batch, openai
from acestep_serverless.contract import job as wire
from acestep_serverless.contract.job import Bounds, JobState
from acestep_serverless.gateway.listing import DEFAULT_LIMIT, LIMIT_BOUNDS, OFFSET_BOUNDS
from acestep_serverless.settings import Settings

MIB = 1 << 20
Route = Mapping[str, Any]


def _whole(bounds: Bounds, unit: str = "") -> str:
    return f"{bounds.minimum} to {bounds.maximum}{unit}"


QUERY: Mapping[str, str] = {
    "limit": f"{_whole(LIMIT_BOUNDS)}, default {DEFAULT_LIMIT}",
    "offset": f"{_whole(OFFSET_BOUNDS)}, default 0",
    "status": f"one of {', '.join(JobState)}",
    "ttl": _whole(wire.STATUS_TTL_BOUNDS, " ms"),
    "wait": _whole(wire.WAIT_BOUNDS, " ms, default: until the end"),
    "filename": "the name in a song's `file`",
    "endpoint_id": "the endpoint's name, such as `ace-step`",
    "job_id": "an id that `/run` or `/runsync` gave",
    "batch_id": "an id that `POST /batch` gave",
    "request_id": "an id of the batch's requests",
    "Range": "`bytes=FIRST-LAST`, `bytes=FIRST-`, `bytes=-LENGTH`, or up to 100 of them with commas between",
    "If-Range": "the `ETag` of the file that the range is of: another file comes whole",
    "path": "OpenAI's path behind `/v1/`, such as `chat/completions`",
}
"""What is allowed for a parameter. The routes read parameters as text and judge them by themselves, so the
description knows only their names."""
STATUS_WAIT = _whole(wire.STATUS_WAIT_BOUNDS, f" ms, default {wire.DEFAULT_STATUS_WAIT_MS}")

BODY_LIMITS: Mapping[tuple[str, str], int] = {
    ("post", "/v2/{endpoint_id}/run"): wire.RUN_BODY_LIMIT,
    ("post", "/v2/{endpoint_id}/runsync"): wire.RUNSYNC_BODY_LIMIT,
    ("post", "/v2/{endpoint_id}/batch"): batch.BATCH_BODY_LIMIT,
    ("put", "/v2/{endpoint_id}/batch/{batch_id}"): batch.BATCH_BODY_LIMIT,
    ("post", "/v2/{endpoint_id}/batch/{batch_id}/requests"): batch.BATCH_BODY_LIMIT,
    ("post", "/v2/{endpoint_id}/openai/v1/{path}"): openai.BODY_LIMIT,
}
"""The routes that read a body, and how many bytes of it."""


def described() -> Route:
    """Give the OpenAPI description of a gateway, as `/openapi.json` has it."""
    with tempfile.TemporaryDirectory() as folder:
        description: Route = build(Settings(data_dir=Path(folder)), first_start=True).openapi()
    return description


def routes() -> str:
    """Write one section a route, in the order of the description."""
    paths: Mapping[str, Route] = described()["paths"]
    return "\n\n".join(_section(method, path, route) for path, row in paths.items() for method, route in row.items())


def _section(method: str, path: str, route: Route) -> str:
    parts = [f"## `{method.upper()} {path}`", " ".join(str(route["description"]).split())]
    if rows := [_parameter(path, one) for one in route.get("parameters", ())]:
        parts.append(table(["Parameter", "In", "Allowed"], rows))
    if limit := BODY_LIMITS.get((method, path)):
        parts.append(f"Body: {_body(route)}, at most {limit // MIB} MiB.")
    parts.append(f"Answers 200: {_answer(method, path)}.")
    parts.append(f"Errors: {_errors(route)}.")
    return "\n\n".join(parts)


def _parameter(path: str, one: Route) -> list[str]:
    allowed = STATUS_WAIT if one["name"] == "wait" and "status-sync" in path else QUERY[one["name"]]
    needed = "" if one.get("required") else " (optional)"
    return [f"`{one['name']}`", f"{one['in']}{needed}", allowed]


def _body(route: Route) -> str:
    content = route.get("requestBody", {}).get("content", {})
    schema = content.get("application/json", {}).get("schema", {})
    words = {"object": "a JSON object", "array": "a JSON array of [job bodies](api.md#job-body)"}
    text = words.get(schema.get("type", ""), "JSON, described in [The API](api.md#operations)")
    members = [f"`{name}`" for name in schema.get("properties", {})]
    return f"{text} with {', '.join(members)}" if members else text


@cache
def _told() -> Mapping[str, str]:
    """Give the last cell of each operation's row in docs/api.md: what it answers, which the description leaves open."""
    page = (Path(__file__).resolve().parents[1] / "api.md").read_text("utf-8")
    rows = re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (?:.* \| )?(.*) \|$", page, re.MULTILINE)
    return {name: _elsewhere(cell) for name, cell in rows}


def _elsewhere(cell: str) -> str:
    """Let a cell of docs/api.md speak from another page."""
    for here, there in (
        ("](#", "](api.md#"),
        ("[below]", "[explained]"),
        ("the status object", "[the status object](api.md#status-object)"),
        ("the counts below", "[the counts](api.md#health)"),
    ):
        cell = cell.replace(here, there)
    return cell


def _answer(method: str, path: str) -> str:
    if path == "/v1/audio":
        return "the file, with its SHA-256 as `ETag`; with `Range` the parts asked for, under 206"
    short = path.removeprefix("/v2/{endpoint_id}").replace("{job_id}", "{id}")
    told = _told()
    return told.get(f"{method.upper()} {short}") or told[f"{method.upper()} {path}"]


def _errors(route: Route) -> str:
    """Name the statuses of 400 and above, each with its section in docs/errors.md."""
    codes = [code for code in route["responses"] if code >= "4"]
    listed = ", ".join(f"[{code}](errors.md#{code})" for code in codes if code.isdecimal())
    return listed if "4XX" not in codes else f"{listed}, and [what the handler says](api.md#openai-clients)"
