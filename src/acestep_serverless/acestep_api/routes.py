"""Which URL does what? All routes of the server; each translates between HTTP and the room that decides."""

from fastapi import APIRouter

from acestep_serverless.acestep_api.routes_adapters import adapter_routes
from acestep_serverless.acestep_api.routes_audio import audio_routes
from acestep_serverless.acestep_api.routes_chat import chat_routes
from acestep_serverless.acestep_api.routes_models import model_routes
from acestep_serverless.acestep_api.routes_tasks import task_routes
from acestep_serverless.acestep_api.routes_words import word_routes
from acestep_serverless.acestep_api.server import Server

ROUTES = (model_routes, task_routes, audio_routes, word_routes, adapter_routes, chat_routes)


def all_routes(server: Server) -> APIRouter:
    """Give every route of a server."""
    router = APIRouter()
    for routes in ROUTES:
        router.include_router(routes(server))
    return router
