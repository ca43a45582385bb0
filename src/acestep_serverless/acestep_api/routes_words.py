"""Who writes the words of a song? The engine's language model; without one there are examples, and clear refusals."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.examples import EXAMPLES
from acestep_serverless.acestep_api.openapi import body
from acestep_serverless.acestep_api.server import Answer, Server
from acestep_serverless.contract.acestep_parameters import read_parameters
from acestep_serverless.engines.base import Cancelled, Planning
from acestep_serverless.engines.extras import SongText, WordMaker
from acestep_serverless.errors import EngineError, GenerationCancelled

SIMPLE = "simple_mode"
LATE = "the language model took too long"

_FORMAT = {
    "prompt": "the caption to polish (`caption` is read too)",
    "lyrics": "the lyrics to polish",
    "temperature": "of the language model",
    "param_obj": "duration, bpm, key, time_signature, language: an object, or the JSON text of one",
}
_SAMPLE = {
    "query": "what the song is about, in free words",
    "instrumental": "true for a song without words",
    "vocal_language": "a language code, or unknown",
    "temperature": "of the language model",
}
_RANDOM = {"sample_type": f"{SIMPLE} for one sentence, any other value for a whole song text"}


def word_routes(server: Server) -> APIRouter:
    """Give the routes about words. With a language model they take seconds, and one is served after the other."""
    router = APIRouter(tags=["words"])

    @router.post("/create_random_sample", openapi_extra=body(_RANDOM, optional=True), summary="Get an idea for a song")
    async def create_random_sample(request: Request) -> Answer:
        """From the language model, or from a table of examples where there is none."""
        fields = await server.fields(request, optional=True)
        simple = fields.get("sample_type") in (None, "", SIMPLE)
        words = server.engine.words
        if words is None:
            example = EXAMPLES[server.new_seed() % len(EXAMPLES)]
            return server.answer(
                _idea(example.description, example.text) if simple else _whole(example.text, think=False)
            )
        return await _asked(
            server,
            lambda cancelled: words.invent("", "unknown", Planning(), cancelled),
            lambda text: _idea(text.caption, text) if simple else _whole(text, think=True),
        )

    @router.post("/format_input", openapi_extra=body(_FORMAT), summary="Polish caption and lyrics, fill in the metas")
    async def format_input(request: Request) -> Answer:
        """503 without a language model; what the caller gives for the metas is kept."""
        fields = await server.fields(request)
        words = _words(server)
        values = _read(fields, ("prompt", "caption", "lyrics", "param_obj", "time_signature"))
        given = SongText(
            values["prompt"],
            values["lyrics"],
            values["bpm"],
            values["audio_duration"],
            values["key_scale"],
            values["time_signature"],
            values["vocal_language"],
        )
        planning = Planning(use_format=True, temperature=values["lm_temperature"])
        return await _asked(server, lambda cancelled: words.polish(given, planning, cancelled), _formatted)

    @router.post(
        "/v1/create_sample", openapi_extra=body(_SAMPLE, optional=True), summary="Invent a song text from a description"
    )
    async def create_sample(request: Request) -> Answer:
        """503 without a language model. The answer is the text itself, not a task."""
        fields = await server.fields(request, optional=True)
        words = _words(server)
        query = {"sample_query": fields.get("query"), "sample_mode": fields.get("instrumental")}
        values = _read({**fields, **query}, ("sample_query", "sample_mode", "vocal_language"))
        planning = Planning(sample_mode=True, sample_query=values["sample_query"], temperature=values["lm_temperature"])
        wish = ", ".join(filter(None, (values["sample_query"], "instrumental" if values["sample_mode"] else "")))
        language = values["vocal_language"]
        return await _asked(server, lambda cancelled: words.invent(wish, language, planning, cancelled), _sampled)

    return router


def _words(server: Server) -> WordMaker:
    if server.engine.words is None:
        raise HTTPException(503, f"LLM not initialized: the {server.engine.name} engine has no language model")
    return server.engine.words


async def _asked(server: Server, work: Callable[[Cancelled], SongText], shape: Callable[[SongText], object]) -> Answer:
    """Let the language model work; what goes wrong with it is a soft error, as upstream's clients know it."""
    try:
        return server.answer(shape(await server.desk.ask(work)))
    except GenerationCancelled:
        return server.soft(500, LATE)
    except EngineError as error:
        return server.soft(500, server.tasks.folder.scrubbed(str(error)))


def _read(fields: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    """Read a few fields as `/release_task` reads them; `temperature` is the language model's. Raises InputError."""
    chosen = {name: fields.get(name) for name in names}
    return read_parameters({**chosen, "lm_temperature": fields.get("temperature")})


def _idea(description: str, text: SongText) -> dict[str, object]:
    return {"description": description, "instrumental": text.instrumental, "vocal_language": text.vocal_language}


def _whole(text: SongText, *, think: bool) -> dict[str, object]:
    """The recorded names, and those of upstream's documentation."""
    return {"think": think, **_sampled(text), "language": text.vocal_language}


def _sampled(text: SongText) -> dict[str, object]:
    return {**_formatted(text), "keyscale": text.key_scale, "timesignature": text.time_signature}


def _formatted(text: SongText) -> dict[str, object]:
    return {
        "caption": text.caption,
        "lyrics": text.lyrics,
        "bpm": text.bpm,
        "key_scale": text.key_scale,
        "time_signature": text.time_signature,
        "duration": text.duration,
        "vocal_language": text.vocal_language,
    }
