"""Who writes the words? The engine's language model, one request at a time; without one there are examples."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from acestep_parts import SineEngine
from edge_parts import AbleEngine, Scribe, edge

from acestep_serverless.acestep_api.desk import MOST_WAITING
from acestep_serverless.acestep_api.examples import EXAMPLES
from acestep_serverless.acestep_api.orders import read_order
from acestep_serverless.engines.base import Cancelled, Planning
from acestep_serverless.engines.extras import SongText
from acestep_serverless.errors import EngineError, GenerationCancelled

SOON = 20.0


async def asked(folder: Path, path: str, body: dict[str, Any], engine: SineEngine | None = None) -> Any:
    async with edge(folder, engine) as server:
        return await server.http.post(path, json=body)


async def test_without_a_language_model_an_example_is_given(tmp_path: Path) -> None:
    simple = await asked(tmp_path, "/create_random_sample", {}, SineEngine())
    whole = await asked(tmp_path, "/create_random_sample", {"sample_type": "custom_mode"}, SineEngine())
    example = EXAMPLES[1000 % len(EXAMPLES)]
    assert simple.json()["data"] == {
        "description": example.description,
        "instrumental": example.text.instrumental,
        "vocal_language": example.text.vocal_language,
    }
    recorded = {"think", "caption", "lyrics", "bpm", "duration", "keyscale", "language", "timesignature"}
    documented = {"key_scale", "time_signature", "vocal_language"}
    assert whole.json()["data"].keys() == recorded | documented
    assert (whole.json()["data"]["caption"], whole.json()["data"]["think"]) == (example.text.caption, False)


def test_every_example_is_a_song_that_can_be_asked_for() -> None:
    for example in EXAMPLES:
        text = example.text
        body = {"prompt": text.caption, "lyrics": text.lyrics, "bpm": text.bpm, "duration": text.duration}
        body |= {"key": text.key_scale, "timesignature": text.time_signature, "language": text.vocal_language}
        request = read_order(body, SineEngine(), lambda: 1).request
        assert (request.key_scale, request.duration) == (text.key_scale, text.duration)
        assert text.instrumental is (text.lyrics == "[Instrumental]")
    assert len({example.description for example in EXAMPLES}) == len(EXAMPLES)


async def test_with_a_language_model_an_idea_is_invented(tmp_path: Path) -> None:
    engine = AbleEngine()
    simple = await asked(tmp_path, "/create_random_sample", {}, engine)
    whole = await asked(tmp_path, "/create_random_sample", {"sample_type": "x"}, engine)
    assert simple.json()["data"]["description"] == "anything, sine tones"
    assert (whole.json()["data"]["think"], whole.json()["data"]["keyscale"]) == (True, "A minor")


async def test_words_are_polished_and_the_callers_metas_kept(tmp_path: Path) -> None:
    engine = AbleEngine()
    body = {"prompt": "pop rock", "lyrics": "Walking", "temperature": 0.5, "time_signature": "3"}
    body |= {"param_obj": '{"duration":180,"bpm":77,"key":"E minor","language":"en"}', "thinking": "nonsense"}
    response = await asked(tmp_path, "/format_input", body, engine)
    [(given, planning)] = engine.words.asked
    assert given == SongText("pop rock", "Walking", 77, 180.0, "E minor", "3", "en")
    assert (planning.temperature, planning.use_format) == (0.5, True)
    assert response.json()["data"] == {
        "caption": "pop rock, polished",
        "lyrics": "Walking",
        "bpm": 77,
        "key_scale": "E minor",
        "time_signature": "4",
        "duration": 180.0,
        "vocal_language": "en",
    }


@pytest.mark.parametrize("param_obj", ["{broken", [1], '{"bpm": "fast"}'])
async def test_metas_that_cannot_be_read_are_refused(param_obj: object, tmp_path: Path) -> None:
    assert (await asked(tmp_path, "/format_input", {"prompt": "x", "param_obj": param_obj})).status_code == 400


async def test_a_song_text_is_invented_from_a_description(tmp_path: Path) -> None:
    engine = AbleEngine()
    body = {"query": "rain", "instrumental": "yes", "vocal_language": "de", "temperature": "0.3"}
    response = await asked(tmp_path, "/v1/create_sample", body, engine)
    [(query, language, planning)] = engine.words.asked
    assert (query, language, planning.temperature) == ("rain, instrumental", "de", 0.3)
    data = response.json()["data"]
    assert (data["caption"], data["keyscale"], data["timesignature"]) == (
        "rain, instrumental, sine tones",
        "A minor",
        "4",
    )


@pytest.mark.parametrize("path", ["/format_input", "/v1/create_sample"])
async def test_without_a_language_model_words_are_refused_as_upstream_does(path: str, tmp_path: Path) -> None:
    response = await asked(tmp_path, path, {"prompt": "x"}, SineEngine())
    assert (response.status_code, response.json()["detail"]) == (
        503,
        "LLM not initialized: the sine engine has no language model",
    )


@pytest.mark.parametrize("path", ["/format_input", "/v1/create_sample", "/create_random_sample"])
@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (EngineError("no words came"), "no words came"),
        (GenerationCancelled("late"), "the language model took too long"),
    ],
)
async def test_a_language_model_that_fails_is_a_soft_error(
    path: str, failure: Exception, said: str, tmp_path: Path
) -> None:
    response = await asked(tmp_path, path, {"prompt": "x"}, AbleEngine(words=Scribe(failure)))
    assert response.status_code == 200
    assert (response.json()["data"], response.json()["code"], response.json()["error"]) == (None, 500, said)


class SlowScribe(Scribe):
    """Writes when it is allowed to, and counts who is at work at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.go, self.begun, self.at_once, self.most = threading.Event(), threading.Event(), 0, 0

    def invent(self, query: str, vocal_language: str, planning: Planning, cancelled: Cancelled) -> SongText:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.begun.set()
        assert self.go.wait(SOON)
        self.at_once -= 1
        if cancelled():
            raise GenerationCancelled("nobody waits")
        return super().invent(query, vocal_language, planning, cancelled)


async def test_while_words_are_written_others_are_answered_and_a_crowd_is_turned_away(tmp_path: Path) -> None:
    scribe = SlowScribe()
    async with edge(tmp_path, AbleEngine(words=scribe)) as server:

        async def ask() -> int:
            return (await server.http.post("/v1/create_sample", json={})).status_code

        asking = [asyncio.create_task(ask()) for _ in range(MOST_WAITING + 3)]
        assert await asyncio.to_thread(scribe.begun.wait, SOON)
        assert (await asyncio.wait_for(server.http.get("/health"), SOON)).status_code == 200
        scribe.go.set()
        codes = await asyncio.wait_for(asyncio.gather(*asking), SOON)
    assert (codes.count(200), codes.count(429)) == (MOST_WAITING, 3)
    assert scribe.most == 1


async def test_who_goes_away_is_not_written_for(tmp_path: Path) -> None:
    scribe = SlowScribe()
    async with edge(tmp_path, AbleEngine(words=scribe)) as server:
        gone = asyncio.create_task(server.http.post("/v1/create_sample", json={"query": "gone"}))
        assert await asyncio.to_thread(scribe.begun.wait, SOON)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        scribe.go.set()
        answer = await asyncio.wait_for(server.http.post("/v1/create_sample", json={"query": "here"}), SOON)
    assert answer.json()["data"]["caption"] == "here, sine tones"
    assert [query for query, *_ in scribe.asked] == ["here"]
