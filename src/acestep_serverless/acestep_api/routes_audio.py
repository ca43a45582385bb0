"""Which bytes are given out? The songs of this server and what lies beside them, by name, whole or in ranges; nothing
else."""

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.server import Server
from acestep_serverless.artifacts.sending import SENDS_A_FILE, TAKES_A_RANGE, SentFile
from acestep_serverless.contract.acestep import AUDIO_ROUTE
from acestep_serverless.contract.media import FILE_TYPES


def audio_routes(server: Server) -> APIRouter:
    """Give the route of the songs' files."""
    router = APIRouter(tags=["audio"])

    async def audio(request: Request, path: str | None = None, filename: str | None = None) -> SentFile:
        """`path` is the name in a song's `file`, `filename` another word for it. Knows `Range` and `If-Range`."""
        server.check_header(request)
        name = path or filename
        if not name:
            raise HTTPException(422, "path: must be the name in a song's `file`, got nothing")
        return _file(server, name)

    router.get(
        AUDIO_ROUTE,
        summary="Fetch a song",
        response_class=SentFile,
        responses=SENDS_A_FILE,
        openapi_extra=TAKES_A_RANGE,
    )(audio)
    router.head(AUDIO_ROUTE, include_in_schema=False)(audio)
    return router


def _file(server: Server, name: str) -> SentFile:
    """Stream a song from disk, in ranges if asked; the sentences are upstream's."""
    try:
        path = server.tasks.folder.find(name)
    except ValueError:
        raise HTTPException(403, "Access denied: path outside allowed directory") from None
    if path is None:
        raise HTTPException(404, "Audio file not found")
    return SentFile(path, media_type=FILE_TYPES.get(path.suffix.removeprefix("."), "application/octet-stream"))
