"""How much may a request send? Bodies are read up to a limit and not one byte further."""

from collections.abc import AsyncIterator

from fastapi import Request

from acestep_serverless.errors import TooLarge


async def read_body(request: Request, limit: int) -> bytes:
    """Read a whole body of at most `limit` bytes. Raises TooLarge, before reading when the length is announced."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 15 or int(announced) > limit):
        raise TooLarge(f"the body is larger than the limit of {limit} bytes for this request")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge(f"the body is larger than the limit of {limit} bytes for this request")
    return bytes(body)


async def stream_body(request: Request) -> AsyncIterator[bytes]:
    """Give a body piece by piece as it arrives."""
    async for chunk in request.stream():
        yield chunk
