"""What did the request say? A bounded body of JSON, form or multipart becomes one object of fields.

The content types and the sentences of refusals are upstream's; what upstream answers with a bare 500 is a 400 here.
"""

import json
from collections.abc import AsyncGenerator, Iterable
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import Headers, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser

from acestep_serverless.contract.music_shown import shown

LARGEST_BODY = 16 << 20
"""Bytes; the longest lyrics take some 4,000."""
MOST_FIELDS = 1000

Fields = dict[str, Any]


async def read_fields(request: Request) -> Fields:
    """Read the body as fields. Raises HTTPException 400 (malformed), 413 (over LARGEST_BODY) or 415 (unknown type)."""
    kind = request.headers.get("content-type", "").strip().lower()
    media_type = kind.partition(";")[0].strip()
    raw = await _bounded(request)
    if media_type == "application/json" or media_type.endswith("+json"):
        return _json(raw, "Malformed JSON payload")
    if media_type == "multipart/form-data":
        return await _multipart(request.headers["content-type"], raw)
    if media_type == "application/x-www-form-urlencoded":
        return _form(raw)
    if raw.lstrip()[:1] in (b"{", b"["):
        return _json(raw, "Invalid JSON body (hint: set 'Content-Type: application/json')")
    if b"=" in raw:
        return _form(raw)
    expected = "use application/json, application/x-www-form-urlencoded, or multipart/form-data"
    raise HTTPException(415, f"Unsupported Content-Type: {ascii(kind)[1:-1] or '(missing)'}; {expected}")


async def _bounded(request: Request) -> bytes:
    size = 0
    pieces = []
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST_BODY:
            raise HTTPException(413, f"the body is over its limit of {LARGEST_BODY:,} bytes", {"Connection": "close"})
        pieces.append(piece)
    return b"".join(pieces)


def _json(raw: bytes, complaint: str) -> Fields:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise HTTPException(400, complaint) from None
    if not isinstance(value, dict):
        raise HTTPException(400, "JSON payload must be an object")
    return value


def _form(raw: bytes) -> Fields:
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(400, f"Malformed form: UTF-8 text of at most {MOST_FIELDS:,} fields is allowed") from None
    return _collected(pairs)


async def _multipart(content_type: str, raw: bytes) -> Fields:
    async def stream() -> AsyncGenerator[bytes, None]:
        yield raw

    parser = MultiPartParser(
        Headers({"content-type": content_type}), stream(), max_files=MOST_FIELDS, max_fields=MOST_FIELDS
    )
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError):  # ValueError: a charset that cannot decode the field
        raise HTTPException(400, "Malformed multipart body") from None
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                raise HTTPException(
                    400, f"{shown(name)}: must be absent, this server takes no audio files; got an upload"
                )
        return _collected((name, str(value)) for name, value in form.multi_items())
    finally:
        await form.close()


def _collected(pairs: Iterable[tuple[str, str]]) -> Fields:
    """One field a name; a name that is repeated holds the list of its values."""
    fields: Fields = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields
