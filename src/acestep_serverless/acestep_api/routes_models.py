"""What is this server, what is loaded, and how busy is it? Health, models, statistics."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from acestep_serverless.acestep_api.openapi import body
from acestep_serverless.acestep_api.orders import MODEL_PREFIX
from acestep_serverless.acestep_api.server import Answer, Server
from acestep_serverless.contract.acestep import SERVICE, VERSION
from acestep_serverless.contract.acestep_models import inventory, openrouter_models
from acestep_serverless.contract.acestep_values import Misread, switch, whole
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.engines.base import Engine
from acestep_serverless.errors import FieldProblem, InputError

MOST_SLOTS = 3
_INIT = {
    "model": "the name of a model",
    "slot": f"1 to {MOST_SLOTS}: the place of a loaded model",
    "init_llm": "whether a language model is wanted",
    "lm_model_path": "the name of a language model",
}


def model_routes(server: Server) -> APIRouter:
    """Give the routes about the server itself."""
    router = APIRouter(tags=["server"])
    engine = server.engine

    @router.get("/health", summary="Tell whether the server is up, and what is loaded")
    async def health() -> Answer:
        """The one route that needs no key."""
        return server.answer(_health(engine))

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request) -> JSONResponse:
        server.check_header(request)
        return JSONResponse(request.app.openapi())

    @router.get("/v1/models", summary="List the models, in OpenRouter's shape and without an envelope")
    async def models(request: Request) -> Answer:
        """The default model comes first."""
        server.check_header(request)
        edits = len(engine.task_types) > 1
        return openrouter_models(
            engine.models, prefix=MODEL_PREFIX, created=server.started, edits=edits, longest=engine.limits.longest
        )

    @router.get("/v1/model_inventory", summary="List the models with their task types, and the language model")
    async def model_inventory(request: Request) -> Answer:
        """A model that is listed and not loaded is loaded when a task names it."""
        server.check_header(request)
        return server.answer(_inventory(engine))

    @router.get("/v1/stats", summary="Count tasks by state, and say how long one takes")
    async def stats(request: Request) -> Answer:
        """`avg_job_seconds` is measured over the last tasks."""
        server.check_header(request)
        return server.answer(server.tasks.stats())

    @router.post("/v1/init", openapi_extra=body(_INIT, optional=True), summary="Ask for a model")
    async def init(request: Request) -> Answer:
        """Models come from this server's disk, never from the internet, and are loaded when a task names them: this
        confirms one that is there, and refuses any other with code 400 in the envelope."""
        fields = await server.fields(request, optional=True)
        refused = _init_refused(fields, engine)
        if refused:
            return server.soft(400, refused)
        name = _wanted(fields, engine)
        listed = _inventory(engine)
        data = {
            "message": f"{name} is here; a task that names it gets it",
            "slot": engine.models.index(name) + 1,
            "loaded_model": name,
            "loaded_lm_model": engine.language_model or None,
        }
        return server.answer({**data, **{key: listed[key] for key in ("models", "lm_models", "llm_initialized")}})

    return router


def _health(engine: Engine) -> dict[str, object]:
    return {
        "status": "ok",
        "service": SERVICE,
        "version": VERSION,
        "models_initialized": True,
        "llm_initialized": bool(engine.language_model),
        "loaded_model": engine.model,
        "loaded_lm_model": engine.language_model or None,
        "engine": engine.name,
    }


def _inventory(engine: Engine) -> dict[str, object]:
    return inventory(engine.models, engine.model, engine.task_types, engine.language_model)


def _wanted(fields: Mapping[str, Any], engine: Engine) -> str:
    """The model that is asked for by name or slot, once `_init_refused` has nothing against it."""
    model, slot = fields.get("model"), fields.get("slot")
    if isinstance(model, str) and model.strip():
        return model.strip().removeprefix(MODEL_PREFIX)
    return engine.models[_slot(slot) - 1]


def _init_refused(fields: Mapping[str, Any], engine: Engine) -> str | None:
    """Why a request for a model cannot be met. Raises InputError for fields that cannot be read."""
    model, words = fields.get("model"), fields.get("lm_model_path")
    loaded = ", ".join(engine.models)
    if isinstance(model, str) and model.strip() and model.strip().removeprefix(MODEL_PREFIX) not in engine.models:
        return f"model: must be one of {loaded}, got {shown(model)}"
    if _slot(fields.get("slot")) > len(engine.models):
        return f"slot: must be at most {len(engine.models)}, what is here is {loaded}"
    if _wants_words(fields.get("init_llm")) and not engine.language_model:
        return f"init_llm: must be false, the {engine.name} engine has no language model"
    if isinstance(words, str) and words.strip() and words.strip() != engine.language_model:
        known = engine.language_model or f"absent, the {engine.name} engine has no language model"
        return f"lm_model_path: must be {known}, got {shown(words)}"
    return None


def _slot(given: object) -> int:
    return 1 if given in (None, "") else int(str(_read("slot", whole(1, MOST_SLOTS), given)))


def _wants_words(given: object) -> bool:
    return given not in (None, "") and bool(_read("init_llm", switch, given))


def _read(name: str, reader: Any, given: object) -> object:
    try:
        return reader(given)
    except Misread as error:
        raise InputError([FieldProblem(name, shown(given), str(error))]) from None
