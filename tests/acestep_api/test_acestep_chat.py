"""Does a chat make a song? OpenRouter's shape, whole and streamed, through the same queue and behind the same key."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_parts import Running, SineEngine
from edge_parts import AbleEngine, bomb, edge, files_in, tone

from acestep_serverless.acestep_api import routes_chat
from acestep_serverless.contract.acestep_chat import read_chat
from acestep_serverless.errors import EngineError, InputError

SOON = 20.0
CHAT = "/v1/chat/completions"
SOUND = base64.b64encode(tone()).decode()
LYRICS = "la la la\nlo lo lo\nli li li\nlu lu lu"


def said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "acestep/sine-1", "messages": [{"role": "user", "content": content}], **fields}


def heard(*sounds: str) -> list[dict[str, Any]]:
    return [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}} for data in sounds]


async def chat(folder: Path, body: dict[str, Any], engine: SineEngine | None = None) -> tuple[httpx.Response, Any]:
    """Chat; give the answer and the request that reached the engine, if one did."""
    engine = engine or AbleEngine()
    async with edge(folder, engine) as server:
        response = await server.http.post(CHAT, json=body)
    return response, engine.requests[0] if engine.requests else None


async def test_the_answer_carries_the_song_and_says_what_it_is(tmp_path: Path) -> None:
    body = said("<prompt>a tone</prompt><lyrics>la la</lyrics>", seed=7)
    response, request = await chat(tmp_path, body)
    answer = response.json()
    assert response.status_code == 200
    assert answer.keys() == {"id", "object", "created", "model", "choices", "usage"}
    assert (answer["object"], answer["model"]) == ("chat.completion", "acestep/sine-1")
    assert answer["id"].startswith("chatcmpl-")
    [choice] = answer["choices"]
    assert (choice["finish_reason"], choice["message"]["role"]) == ("stop", "assistant")
    assert choice["message"]["content"].startswith("## Metadata\n**Caption:** a tone\n**BPM:** 120\n")
    assert choice["message"]["content"].endswith("## Lyrics\nla la")
    [audio] = choice["message"]["audio"]
    kind, _, data = audio["audio_url"]["url"].partition(";base64,")
    assert (audio["type"], kind) == ("audio_url", "data:audio/mpeg")
    assert base64.b64decode(data) == (tmp_path / files_in(tmp_path)[0]).read_bytes()
    assert (request.caption, request.lyrics, request.seeds) == ("a tone", "la la", (7,))


async def test_every_field_is_read_by_the_table_of_parameters(tmp_path: Path) -> None:
    config = {"duration": 12, "format": "wav", "bpm": "90", "key_scale": "Am", "time_signature": "3/4"}
    body = said(
        "la",
        audio_config={**config, "vocal_language": "fr", "instrumental": True},
        temperature=0.5,
        top_p=1,
        top_k=9,
        seed="1,2",
        batch_size=2,
        thinking=True,
        guidance_scale=3,
        model="acestep/sine-2",
    )
    response, request = await chat(tmp_path, body)
    assert (request.duration, request.bpm, request.key_scale, request.time_signature) == (12, 90, "A minor", "3")
    assert (request.vocal_language, request.seeds, request.model) == ("fr", (1, 2), "sine-2")
    assert (request.lyrics, request.sampling.guidance_scale) == ("[Instrumental]", 3)
    planning = request.planning
    assert (planning.temperature, planning.top_p, planning.top_k, planning.thinking) == (0.5, 1.0, 9, True)
    urls = [part["audio_url"]["url"][:14] for part in response.json()["choices"][0]["message"]["audio"]]
    assert urls == ["data:audio/wav", "data:audio/wav"]


@pytest.mark.parametrize(
    ("text", "fields", "prompt", "lyrics", "description"),
    [
        ("a song about rain", {}, "", "", "a song about rain"),
        (LYRICS, {}, "", LYRICS, ""),
        ("[Verse]\nla", {}, "", "[Verse]\nla", ""),
        ("a waltz", {"lyrics": "la"}, "a waltz", "la", ""),
        ("x <PROMPT> a\nwaltz </PROMPT>", {}, "a\nwaltz", "", ""),
        (
            [{"type": "text", "text": "a song"}, {"type": "text", "text": "about rain"}],
            {},
            "",
            "",
            "a song\nabout rain",
        ),
    ],
)
def test_a_text_is_words_or_a_description(
    text: Any, fields: dict[str, Any], prompt: str, lyrics: str, description: str
) -> None:
    read = read_chat(said(text, **fields))
    assert (read.parameters.get("prompt", ""), read.parameters.get("lyrics", "")) == (prompt, lyrics)
    assert read.description == description


@pytest.mark.parametrize("repeated", ["<prompt>", "\n", " \n", "["], ids=["tags", "lines", "spaces", "brackets"])
def test_megabytes_are_read_without_much_thought(repeated: str) -> None:
    read_chat(said(repeated * (4_000_000 // len(repeated)) + "x"))


async def test_a_description_is_for_the_language_model_and_without_one_the_caption(tmp_path: Path) -> None:
    _, able = await chat(tmp_path / "a", said("a song about rain"))
    _, small = await chat(tmp_path / "b", said("a song about rain", model="sine-1"), SineEngine())
    assert (able.planning.sample_query, able.caption) == ("a song about rain", "")
    assert (small.planning.sample_query, small.caption) == ("", "a song about rain")


async def test_only_the_last_thing_the_user_said_counts(tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "<prompt>first</prompt>"},
        {"role": "assistant", "content": "..."},
        {"role": "user", "content": "<prompt>last</prompt>"},
        {"role": "system", "content": "<prompt>system</prompt>"},
    ]
    assert (await chat(tmp_path, {"messages": messages}))[1].caption == "last"


@pytest.mark.parametrize(
    ("task_type", "sounds", "source", "reference"),
    [("text2music", 1, False, True), ("cover", 1, True, False), ("cover", 2, True, True)],
)
async def test_sounds_are_the_source_and_the_reference(
    task_type: str, sounds: int, source: bool, reference: bool, tmp_path: Path
) -> None:
    body = said([{"type": "text", "text": "like this"}, *heard(*[SOUND] * sounds)], task_type=task_type)
    response, request = await chat(tmp_path, body)
    assert response.status_code == 200, response.text
    assert (request.editing.source is not None, request.editing.reference is not None) == (source, reference)
    assert [name[:5] for name in files_in(tmp_path)] == ["song-"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "messages: must be an array of 1 to 1,000 messages, got null"),
        ({"messages": []}, "messages: must be an array"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages: must hold a message whose role is user"),
        (said(""), "messages: the user's last message must hold text or audio"),
        (said(None), "messages: content must be a text or an array of parts"),
        (said([{"type": "image_url", "image_url": {}}]), "messages: a part must be text or input_audio"),
        (said("x", audio_config=[1]), "audio_config: must be an object"),
        (said("x", audio_config={"format": "mod"}), "audio_format: must be one of"),
        (said("x", model="gpt"), "model: must be sine-1 or sine-2"),
        (said("x", batch_size=99), "batch_size: must be a whole number from 1 to 8"),
        (said("x", task_type="cover"), "src_audio_path: must name the source audio"),
        (said("x", task_type=["cover"]), "task_type: must be one of"),
        (said(heard("no base64!")), "input_audio: data must be base64"),
        (said(heard("")), "input_audio: data must be base64"),
        (said(heard(base64.b64encode(b"words").decode())), "ref_audio: must be a sound file"),
        (said(heard(base64.b64encode(bomb()).decode())), "ref_audio: must be a sound file"),
        (said(heard(SOUND, SOUND)), "input_audio: without a task_type that works on a source, one sound is taken"),
        (said(heard(SOUND, SOUND, SOUND)), "messages: at most 2 sounds are taken"),
    ],
    ids=range(18),
)
async def test_what_is_no_chat_is_refused_and_leaves_no_file(body: Any, reason: str, tmp_path: Path) -> None:
    response, request = await chat(tmp_path, body)
    assert (response.status_code, request) == (400, None)
    assert response.json()["error"].startswith(reason)
    assert files_in(tmp_path) == []


async def test_a_task_that_fails_says_why_without_a_traceback(tmp_path: Path) -> None:
    response, _ = await chat(tmp_path, said("x"), AbleEngine(failure=EngineError("the band has gone home")))
    assert (response.status_code, response.json()["detail"]) == (500, "the band has gone home")


def events_of(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


async def test_a_streamed_answer_lives_until_the_song_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_chat, "HEARTBEAT", 0.05)
    engine = AbleEngine()
    engine.go.clear()
    async with edge(tmp_path, engine) as server:
        waits, looked = server.app.state.tasks.waits, 0
        until_any = waits.until_any

        async def second_look_frees_the_song(*given: Any) -> None:
            nonlocal looked
            looked += 1
            await until_any(*given)
            if looked == 2:
                engine.go.set()

        monkeypatch.setattr(waits, "until_any", second_look_frees_the_song)
        response = await asyncio.wait_for(server.http.post(CHAT, json=said("x", stream=True)), SOON)
    events = events_of(response.text)
    assert response.headers["content-type"].startswith("text/event-stream")
    assert {event["object"] for event in events} == {"chat.completion.chunk"}
    deltas = [event["choices"][0]["delta"] for event in events]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[1] == {"content": "."}
    assert "## Metadata" in deltas[-3]["content"]
    assert deltas[-2]["audio"][0]["audio_url"]["url"].startswith("data:audio/mpeg;base64,")
    assert [event["choices"][0]["finish_reason"] for event in events][-2:] == [None, "stop"]


async def test_a_streamed_failure_is_content_and_an_error(tmp_path: Path) -> None:
    response, _ = await chat(tmp_path, said("x", stream=True), AbleEngine(failure=EngineError("gone home")))
    last = events_of(response.text)[-1]["choices"][0]
    assert (last["delta"], last["finish_reason"]) == ({"content": "gone home"}, "error")


@pytest.mark.parametrize("stream", [False, True])
async def test_a_song_that_takes_too_long_is_given_up(
    stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_chat, "HEARTBEAT", 0.05)
    monkeypatch.setattr(routes_chat, "LONGEST_ANSWER", 0.1)
    engine = AbleEngine()
    engine.go.clear()
    async with edge(tmp_path, engine) as server:
        response = await asyncio.wait_for(server.http.post(CHAT, json=said("x", stream=stream)), SOON)
        assert await asyncio.to_thread(engine.ended.wait, SOON)
    assert response.status_code == (200 if stream else 504)
    assert "was not finished within" in response.text


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_goes_away_ends_its_task(
    stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes_chat, "HEARTBEAT", 0.05)
    engine = AbleEngine()
    engine.go.clear()
    gone, body = asyncio.Event(), [json.dumps(said("x", stream=stream)).encode()]

    async def receive() -> Any:
        if body:
            return {"type": "http.request", "body": body.pop()}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Any) -> None:
        return

    headers = [(b"content-type", b"application/json"), (b"host", b"x")]
    scope = {"type": "http", "method": "POST", "path": CHAT, "headers": headers, "query_string": b""}
    async with edge(tmp_path, engine) as server:
        full = {**scope, "http_version": "1.1", "scheme": "http", "root_path": "", "asgi": {"spec_version": "2.3"}}
        answering = asyncio.ensure_future(server.app(full, receive, send))
        assert await asyncio.to_thread(engine.started.wait, SOON)
        gone.set()
        await asyncio.wait_for(answering, SOON)
        assert await asyncio.to_thread(engine.ended.wait, SOON)
        stats = (await server.http.get("/v1/stats")).json()["data"]["jobs"]
    assert (stats["running"], stats["queued"], stats["succeeded"]) == (0, 0, 0)


async def test_songs_beyond_what_an_answer_holds_are_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with edge(tmp_path) as server:
        urls = []
        for room in (1, 10_000_000):
            monkeypatch.setattr(routes_chat, "LARGEST_INLINE", room)
            answer = await server.http.post(CHAT, json=said("x"))
            urls.append(answer.json()["choices"][0]["message"]["audio"][0]["audio_url"]["url"])
        fetched = await server.http.get(urls[0])
    assert urls[0].startswith("/v1/audio?path=song-")
    assert urls[1].startswith("data:audio/mpeg;base64,")
    assert fetched.status_code == 200


async def test_a_full_queue_turns_a_chat_away(tmp_path: Path) -> None:
    engine = AbleEngine()
    engine.go.clear()
    async with edge(tmp_path, engine, queue_maximum=1) as server:
        await fill(server, engine)
        response = await server.http.post(CHAT, json=said(heard(SOUND)))
        assert files_in(tmp_path) == []
        engine.go.set()
    assert response.status_code == 429


async def fill(server: Running, engine: SineEngine) -> None:
    await server.release()
    assert await asyncio.to_thread(engine.started.wait, SOON)
    await server.release()


async def test_a_model_that_is_no_text_is_echoed_readably_by_a_lenient_server(tmp_path: Path) -> None:
    async with edge(tmp_path, lenient=True) as server:
        response = await server.http.post(
            CHAT, content=json.dumps(said("x", model="\ud800" * 999)), headers={"content-type": "application/json"}
        )
    assert (response.status_code, len(response.json()["model"])) == (200, 1200)


def test_a_chat_is_judged_without_an_engine() -> None:
    with pytest.raises(InputError):
        read_chat({"messages": [5]})
