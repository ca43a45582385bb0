"""How do songs, and what lies beside them, come in and go out? Workers PUT them under their lease; clients GET them by
name, in ranges, and so does a worker whose job works on an earlier one's song."""

import base64
import binascii
import re
from typing import Annotated

from fastapi import APIRouter, Depends, Request

from acestep_serverless.access.keys import from_authorization
from acestep_serverless.artifacts.sending import SENDS_A_FILE, TAKES_A_RANGE, SentFile
from acestep_serverless.errors import AccessDenied, FieldProblem, InputError
from acestep_serverless.gateway.bodies import stream_body
from acestep_serverless.gateway.parts import PartsHere
from acestep_serverless.jobs.shelf import SUFFIXES, Artifact, Place

ROUTES = APIRouter()

FILE_NAME = re.compile(r"([0-9]{1,3})\.([a-z0-9]{1,5})")
DIGEST_HEADER = re.compile(r"\s*sha-256=:([A-Za-z0-9+/=]{44}):\s*")
"""RFC 9530's `Content-Digest` with the one algorithm that is read here."""


async def _checked(parts: PartsHere, endpoint_id: str, worker_id: str, token: str = "") -> None:
    await parts.workers.check(endpoint_id, worker_id, token)


async def _living(parts: PartsHere, endpoint_id: str, worker_id: str, token: str = "") -> None:
    """Let in a worker that has not ended: no lease guards what it reads."""
    if await parts.workers.check(endpoint_id, worker_id, token) == "GONE":
        raise AccessDenied("this worker has ended: its token opens no file any more")


def announced_sha256(header: str | None) -> str | None:
    """Read a `Content-Digest` header as hexadecimal SHA-256; None when there is none. Raises InputError."""
    if header is None:
        return None
    found = DIGEST_HEADER.fullmatch(header)
    try:
        if found is not None:
            return base64.b64decode(found.group(1), validate=True).hex()
    except binascii.Error:
        pass
    raise InputError([FieldProblem("Content-Digest", header[:80], "must be sha-256=:<base64 of 32 bytes>:")])


@ROUTES.put(
    "/v2/{endpoint_id}/artifacts/{worker_id}/{job_id}/{file_name}",
    include_in_schema=False,
    dependencies=[Depends(_checked)],
)
async def put_artifact(
    request: Request, parts: PartsHere, endpoint_id: str, worker_id: str, job_id: str, file_name: str
) -> dict[str, str | int]:
    """File one song of a job, or what lies beside it. Only the lease holder may; sending it again changes nothing."""
    found = FILE_NAME.fullmatch(file_name)
    if found is None or found.group(2) not in SUFFIXES:
        allowed = f"must be <index>.<suffix>, the suffix one of {', '.join(SUFFIXES)}"
        raise InputError([FieldProblem("file name", file_name[:60], allowed)])
    sha256 = announced_sha256(request.headers.get("content-digest"))
    place = Place(endpoint_id, worker_id, job_id, int(found.group(1)), found.group(2))
    filed = await parts.shelf.put(place, stream_body(request), sha256)
    return {"file": f"/v1/audio?filename={filed.name}", "bytes": filed.bytes, "sha256": filed.sha256}


@ROUTES.get(
    "/v2/{endpoint_id}/artifacts/{worker_id}/{file_name}", include_in_schema=False, dependencies=[Depends(_living)]
)
async def get_artifact(parts: PartsHere, endpoint_id: str, file_name: str) -> SentFile:
    """Send a worker an audio file of its own endpoint, for a job that works on it."""
    return _sent(await parts.shelf.find(file_name, frozenset({endpoint_id})))


async def _opened(request: Request, parts: PartsHere) -> frozenset[str]:
    return await parts.endpoints.opened_by(from_authorization(request.headers.get("authorization", "")))


@ROUTES.head("/v1/audio", include_in_schema=False)
@ROUTES.get("/v1/audio", response_class=SentFile, responses=SENDS_A_FILE, openapi_extra=TAKES_A_RANGE)
async def audio(
    parts: PartsHere, endpoints: Annotated[frozenset[str], Depends(_opened)], filename: str = ""
) -> SentFile:
    """Send a song, or its MIDI or LRC file, whole or by `Range`, to a key of the endpoint that made it."""
    if not filename:
        raise InputError([FieldProblem("filename", "nothing", "must be the name that stands in the file of a song")])
    return _sent(await parts.shelf.find(filename, endpoints))


def _sent(filed: Artifact) -> SentFile:
    headers = {
        "Cache-Control": "private, max-age=3600",
        "ETag": f'"{filed.sha256}"',
        "X-Content-Type-Options": "nosniff",
    }
    return SentFile(
        filed.path, media_type=filed.media_type, filename=filed.name, headers=headers, content_disposition_type="inline"
    )
