"""Does the handler make songs with servers of upstream's kinds, and say where such a server would do something else?"""

import asyncio
import base64
from pathlib import Path
from typing import Any

import httpx
import pytest
from sounds import wav
from upstream_server import SONG, Kind, Upstream, upstream_server

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.worker.delivery import FolderSink
from acestep_serverless.worker.handler import handle

TURBO, BASE = "acestep-v15-turbo", "acestep-v15-base"
SOUND = wav()
ASKED = {"caption": "a tone", "duration": 30, "poll_interval": 1}
AUDIO = {"src_audio": base64.b64encode(SOUND).decode()}


async def handled(upstream: Upstream, given: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Run one job with this server behind the handler; nothing of it may stay in the scratch folder."""
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    async with upstream_server(upstream), httpx.AsyncClient(base_url=upstream.url, trust_env=False) as http:
        output = await handle(
            {"id": "job-1", "input": {**ASKED, **given}},
            acestep=AceStepClient(http, clock=SYSTEM_CLOCK),
            artifacts=FolderSink(folder / "songs"),
            report=lambda _: None,
            clock=SYSTEM_CLOCK,
            scratch=scratch,
        )
    assert list(scratch.iterdir()) == []
    return output


@pytest.mark.parametrize("kind", ["february", "newer", "gradio"])
async def test_a_song_is_made_with_every_kind_of_server(kind: Kind, tmp_path: Path) -> None:
    upstream = Upstream(kind, tmp_path)
    output = await handled(upstream, {"seed": 7, "bpm": 90, "key_scale": "am"}, tmp_path)
    (song,) = output["results"]
    assert Path(song["file"]).read_bytes() == SONG
    assert upstream.released == [
        {"prompt": "a tone", "lyrics": "", "audio_duration": 30, "batch_size": 1, "use_random_seed": False, "seed": 7}
        | {"audio_format": "mp3", "bpm": 90, "key_scale": "A minor"}
    ]


async def test_source_and_reference_are_uploaded_and_the_audio_says_how_long(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path)
    given = {**AUDIO, "reference_audio": AUDIO["src_audio"], "task_type": "cover", "audio_cover_strength": 0.5}
    output = await handled(upstream, given | {"duration": None}, tmp_path)
    assert output["status"] == "completed"
    assert upstream.uploads == [{"src_audio:src_audio.wav": SOUND, "reference_audio:reference_audio.wav": SOUND}]
    assert upstream.released[0]["audio_cover_strength"] == "0.5"
    assert "audio_duration" not in upstream.released[0]


async def test_a_server_that_takes_no_uploads_is_said_to_be_too_old(tmp_path: Path) -> None:
    output = await handled(Upstream("february", tmp_path), {**AUDIO, "task_type": "cover"}, tmp_path)
    assert "February 2026 takes none" in output["error"]


async def test_the_server_inside_gradio_gets_no_audio_that_it_would_not_hear(tmp_path: Path) -> None:
    upstream = Upstream("gradio", tmp_path)
    output = await handled(upstream, {"reference_audio": AUDIO["src_audio"]}, tmp_path)
    assert output["error"].startswith("reference_audio: must be absent: this ACE-Step server, the one inside Gradio")
    assert upstream.released == []


async def test_a_track_task_carries_its_whole_instruction_which_old_servers_do_not_fill_in(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path, loaded=[BASE, TURBO])
    given = {**AUDIO, "task_type": "lego", "track_name": "Backing Vocals", "model": BASE}
    await handled(upstream, given, tmp_path)
    await handled(
        upstream, {**AUDIO, "task_type": "complete", "track_classes": ["drums", "bass"], "model": BASE}, tmp_path
    )
    await handled(upstream, given | {"instruction": "Do it my way:"}, tmp_path)
    assert [asked["instruction"] for asked in upstream.released] == [
        "Generate the BACKING_VOCALS track based on the audio context:",
        "Complete the input track with DRUMS | BASS:",
        "Do it my way:",
    ]


async def test_an_unknown_model_is_refused_instead_of_replaced(tmp_path: Path) -> None:
    for kind in ("february", "newer", "gradio"):
        upstream = Upstream(kind, tmp_path)
        output = await handled(upstream, {"model": "acestep-v9"}, tmp_path)
        assert output == {"error": f'model: must be one of {TURBO} with this ACE-Step server, got "acestep-v9"'}
        assert upstream.released == []


async def test_a_model_is_loaded_when_none_is_and_never_in_the_place_of_another(tmp_path: Path) -> None:
    empty = Upstream("newer", tmp_path, loaded=[])
    assert (await handled(empty, {"model": BASE}, tmp_path))["status"] == "completed"
    assert (empty.loaded, empty.released[0]["model"]) == ([BASE], BASE)
    busy = Upstream("newer", tmp_path)
    assert "must be one of" in (await handled(busy, {"model": BASE}, tmp_path))["error"]
    assert busy.loaded == [TURBO]


async def test_a_model_that_cannot_be_loaded_gives_the_servers_reason(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path, loaded=[], failure="no room on the GPU")
    assert await handled(upstream, {"model": BASE}, tmp_path) == {"error": "no room on the GPU"}


async def test_a_task_that_the_model_cannot_do_is_refused(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path)
    output = await handled(upstream, {**AUDIO, "task_type": "extract"}, tmp_path)
    assert output["error"].startswith(f"task_type: must be one of cover, repaint, text2music with the model {TURBO}")
    assert upstream.released == []


WORN: dict[str, Any] = {"lora_loaded": True, "use_lora": True, "active_adapter": "voice"}
WORN |= {"lora_scale": 0.7, "scales": {"voice": 0.7, "other": 1.0}, "adapters": ["voice", "other"]}


@pytest.mark.parametrize(
    ("adapters", "given", "said"),
    [
        (WORN, {"lora": "voice"}, ""),
        (WORN, {"lora": "voice", "lora_scale": 0.7}, ""),
        (WORN, {"lora": "other"}, "lora: must be voice, which this"),
        (WORN, {"lora": "voice", "lora_scale": 1.0}, "lora_scale: must be 0.7"),
        (WORN | {"use_lora": False}, {"lora": "voice"}, "lora: must be absent"),
        ({"lora_loaded": False}, {"lora": "voice"}, "lora: must be absent"),
    ],
)
async def test_a_server_that_wears_adapters_for_all_gives_a_job_the_one_it_wears_or_an_error(
    adapters: dict[str, Any], given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    upstream = Upstream("newer", tmp_path, adapters=adapters)
    output = await handled(upstream, given, tmp_path)
    assert str(output.get("error", "")).startswith(said)
    assert ("error" in output) == bool(said)
    assert len(upstream.released) == (0 if said else 1)


async def test_a_server_without_adapters_refuses_one(tmp_path: Path) -> None:
    output = await handled(Upstream("february", tmp_path), {"lora": "voice"}, tmp_path)
    assert output["error"].startswith("lora: must be absent")


async def test_an_analysis_answers_with_what_was_heard(tmp_path: Path) -> None:
    given = {**AUDIO, "full_analysis_only": True, "caption": None}
    output = await handled(Upstream("newer", tmp_path), given, tmp_path)
    assert output == {
        "task_id": "task-1",
        "status": "completed",
        "duration": 30,
        "batch_size": 1,
        "results": [
            {
                "analysis": "full_analysis_only",
                "prompt": "a folk song",
                "lyrics": "la",
                "metas": {
                    "bpm": 96,
                    "duration": 30.0,
                    "genres": "folk",
                    "keyscale": "A minor",
                    "timesignature": "4",
                },
                "vocal_language": "en",
            }
        ],
    }


async def test_a_server_that_answers_only_with_the_songs_meets_the_jobs_deadline(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("acestep_serverless.client.wire.ANSWER_SECONDS", 0.1)
    upstream = Upstream("gradio", tmp_path, finish=asyncio.Event())
    output = await handled(upstream, {"timeout_seconds": 1}, tmp_path)
    assert output["error"].startswith("timeout_seconds: the generation was not finished within 1 s")
    assert len(upstream.released) == 1


async def test_a_sound_that_is_none_is_refused_before_the_server_hears_of_it(tmp_path: Path) -> None:
    upstream = Upstream("newer", tmp_path)
    text = base64.b64encode(b"no sound at all " * 9).decode()
    output = await handled(upstream, {"task_type": "cover", "src_audio": text}, tmp_path)
    assert output["error"].startswith("src_audio: must be a sound file")
    assert upstream.released == []
