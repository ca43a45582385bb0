"""What did the request say? A bounded body of JSON, form or multipart becomes one object of fields, and sound files.

The content types and the sentences of refusals are upstream's; what upstream answers with a bare 500 is a 400 here.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from acestep_serverless.acestep_api.multipart import MultipartReader
from acestep_serverless.acestep_api.sounds import FILE_FIELDS, Sounds

LARGEST_BODY = 16 << 20
"""Bytes of everything that is no file; the longest lyrics take some 4,000."""
MOST_FIELDS = 1000
BODY_SECONDS = 600.0
"""How long a body may take to arrive; 256 MB in that time are 3.6 Mbit/s."""

Fields = dict[str, Any]
Check = Callable[[Mapping[str, object]], None]


async def read_fields(request: Request, *, optional: bool = False) -> Fields:
    """Read a body without files; an `optional` one may be empty.

    Raises HTTPException 400 (malformed), 408 (slow), 413 (over LARGEST_BODY) or 415.
    """
    if _media_type(request) == "multipart/form-data":
        return await _multipart(request, None, lambda _fields: None)
    raw = await _bounded(request)
    return {} if optional and not raw.strip() else _read_text(request, raw)


@asynccontextmanager
async def received(request: Request, sounds: Sounds, check: Check) -> AsyncIterator[Fields]:
    """Give the fields of any body; its files lie in `sounds`, whole and closed, and are gone afterwards unless kept.

    `check` is called with the texts so far before a file is stored, and with all of them; what it raises ends the
    request. Raises HTTPException 400, 408, 413 or 415, and InputError about files.
    """
    try:
        if _media_type(request) == "multipart/form-data":
            fields = await _multipart(request, sounds, check)
        else:
            fields = _read_text(request, await _bounded(request))
        check(fields)
        yield fields
    finally:
        sounds.discard()


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").strip().lower().partition(";")[0].strip()


def _read_text(request: Request, raw: bytes) -> Fields:
    media_type = _media_type(request)
    if media_type == "application/json" or media_type.endswith("+json"):
        return _json(raw, "Malformed JSON payload")
    if media_type == "application/x-www-form-urlencoded":
        return _form(raw)
    if raw.lstrip()[:1] in (b"{", b"["):
        return _json(raw, "Invalid JSON body (hint: set 'Content-Type: application/json')")
    if b"=" in raw:
        return _form(raw)
    kind = request.headers.get("content-type", "").strip().lower()
    expected = "use application/json, application/x-www-form-urlencoded, or multipart/form-data"
    raise HTTPException(415, f"Unsupported Content-Type: {ascii(kind)[1:-1] or '(missing)'}; {expected}")


async def _bounded(request: Request) -> bytes:
    size = 0
    pieces = []
    async for piece in _pieces(request):
        size += len(piece)
        if size > LARGEST_BODY:
            # Without "Connection: close": that would reset the connection under a client that is still sending, and
            # curl then never sees the answer.
            raise HTTPException(413, f"the body is over its limit of {LARGEST_BODY:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises HTTPException 408 after BODY_SECONDS, 400 when the client goes away."""
    stream = aiter(request.stream())
    until = asyncio.get_running_loop().time() + BODY_SECONDS
    try:
        while True:
            async with asyncio.timeout_at(until):
                piece = await anext(stream)
            yield piece
    except StopAsyncIteration:
        return
    except TimeoutError:
        raise HTTPException(408, f"the body took longer than {BODY_SECONDS:g} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, "the body was cut off") from None


async def _multipart(request: Request, sounds: Sounds | None, check: Check) -> Fields:
    reader = MultipartReader(
        request.headers["content-type"],
        sounds,
        lambda pairs: check(_collected(pairs)),
        largest_texts=LARGEST_BODY,
        most_parts=MOST_FIELDS + len(FILE_FIELDS),
    )
    async for piece in _pieces(request):
        if piece:
            await asyncio.to_thread(reader.write, piece)
    return _collected(reader.finish())


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
