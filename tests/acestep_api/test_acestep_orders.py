"""What reaches the engine of what was asked, what is refused by name, and what does the lenient reading make of it?"""

from pathlib import Path
from typing import Any

import httpx
import pytest
from acestep_parts import SineEngine
from edge_parts import ALL, AbleEngine, edge

from acestep_serverless.acestep_api.abilities import PLAIN, WORK
from acestep_serverless.acestep_api.orders import Order, read_order
from acestep_serverless.contract.acestep_parameters import PARAMETERS
from acestep_serverless.engines import load_engine
from acestep_serverless.engines.base import ANALYSES, EngineLimits
from acestep_serverless.errors import InputError

SMALL = EngineLimits(2, 60, 2, 512, 4096)


def order(engine: SineEngine | None = None, *, lenient: bool = False, **body: Any) -> Order:
    return read_order(body, engine or AbleEngine(), lambda: 5, lenient=lenient)


def refusal(engine: SineEngine | None = None, *, lenient: bool = False, **body: Any) -> str:
    with pytest.raises(InputError) as caught:
        order(engine, lenient=lenient, **body)
    return str(caught.value)


def test_every_parameter_of_sampling_reaches_an_engine_that_uses_it() -> None:
    sampling = order(
        inferenceSteps=27, guidance_scale=3.5, shift=2, infer_method="SDE", use_adg=1, cfg_interval_start=0.1,
        cfg_interval_end=0.9, timesteps="0.9,0.5", use_tiled_decode=False,
    ).request.sampling  # fmt: skip
    assert (sampling.inference_steps, sampling.guidance_scale, sampling.shift) == (27, 3.5, 2.0)
    assert (sampling.infer_method, sampling.use_adg, sampling.use_tiled_decode) == ("sde", True, False)
    assert (sampling.cfg_interval_start, sampling.cfg_interval_end, sampling.timesteps) == (0.1, 0.9, (0.9, 0.5))


def test_every_parameter_of_planning_reaches_an_engine_that_uses_it() -> None:
    planning = order(
        thinking=True, desc="a song about rain", useFormat="1", **{"cot-caption": 0, "cot_language": 0},
        lm_temperature=0.5, lm_cfg_scale=1, lm_negative_prompt="noise", lm_top_k=40, lm_top_p=1,
        lm_repetition_penalty=1.1,
    ).request.planning  # fmt: skip
    assert (planning.thinking, planning.sample_mode, planning.sample_query) == (True, True, "a song about rain")
    assert (planning.use_format, planning.use_cot_caption, planning.use_cot_language) == (True, False, False)
    assert (planning.temperature, planning.cfg_scale, planning.negative_prompt) == (0.5, 1.0, "noise")
    assert (planning.top_k, planning.top_p, planning.repetition_penalty) == (40, 1.0, 1.1)


def test_a_plain_request_leaves_every_choice_to_the_engine() -> None:
    request = order().request
    assert (request.sampling.inference_steps, request.sampling.timesteps, request.model) == (None, (), "")
    assert (request.planning.thinking, request.planning.sample_mode, request.analysis) == (False, False, "")
    assert order().warnings == ()


def test_audio_codes_stand_in_for_a_source() -> None:
    editing = order(task_type="cover", audio_codes="<|audio_code_1|>", cover_strength=0.3).request.editing
    assert (editing.audio_code_string, editing.audio_cover_strength) == ("<|audio_code_1|>", 0.3)
    assert "src_audio_path: must name the source audio" in refusal(task_type="repaint", audio_codes="<|audio_code_1|>")


@pytest.mark.parametrize(
    ("fields", "instruction"),
    [
        ({}, "Fill the audio semantic mask based on the given conditions:"),
        ({"instruction": "Sing it"}, "Sing it:"),
        ({"instruction": " Sing it: "}, "Sing it:"),
        (
            {"task_type": "cover", "audio_codes": "x"},
            "Generate audio semantic tokens based on the given conditions:",
        ),
        (
            {
                "task_type": "cover",
                "audio_codes": "x",
                "instruction": "Fill the audio semantic mask based on the given conditions:",
            },
            "Generate audio semantic tokens based on the given conditions:",
        ),
    ],
)
def test_the_instruction_is_the_callers_or_that_of_the_task(fields: dict[str, str], instruction: str) -> None:
    assert order(**fields).request.editing.instruction == instruction


@pytest.mark.parametrize("task_type", ["cover", "cover-nofsq", "repaint", "lego", "extract", "complete"])
def test_work_on_a_source_without_one_is_refused(task_type: str) -> None:
    assert refusal(taskType=task_type).startswith(
        f"src_audio_path: must name the source audio for {task_type}, or be uploaded as src_audio, got nothing"
    )


@pytest.mark.parametrize(
    ("given", "model"), [("sine-2", "sine-2"), ("acestep/sine-2", "sine-2"), ("sine-1", ""), ("sine", "")]
)
def test_a_model_is_named_as_in_the_list_of_models(given: str, model: str) -> None:
    assert order(dit_model=given).request.model == model


@pytest.mark.parametrize("analysis", ANALYSES)
def test_an_analysis_is_refused_unless_the_engine_does_it_and_has_what_it_hears(analysis: str) -> None:
    assert refusal(**{analysis: True}).startswith(f"{analysis}: must be false")
    able = AbleEngine(uses=ALL | {analysis})
    if analysis == "analysis_only":
        assert order(able, **{analysis: True}).request.analysis == analysis
    else:
        assert refusal(able, **{analysis: True}).startswith(
            "src_audio_path: must name the source audio for " + analysis
        )


def test_two_analyses_are_one_too_many() -> None:
    able = AbleEngine(uses=ALL | set(ANALYSES))
    assert "must be false beside analysis_only" in refusal(able, analysis_only=True, extract_codes_only=True)


def test_an_adapter_must_be_loaded() -> None:
    assert refusal(lora="voice") == 'lora: must be a loaded adapter: none is, got "voice"'
    assert refusal(SineEngine(), lora="voice") == 'lora: must be empty: the sine engine wears no adapters, got "voice"'


WANTED = {
    "reference_audio_path": "song-a.mp3",
    "src_audio_path": "song-a.mp3",
    "audio_code_string": "x",
    "sample_query": "x",
    "lora": "x",
}


@pytest.mark.parametrize("name", WORK)
def test_work_that_an_engine_does_not_do_is_refused_by_name(name: str) -> None:
    assert refusal(SineEngine(), **{name: WANTED.get(name, True)}).startswith(f"{name}: must be ")


def test_what_merely_tunes_is_named_in_the_warnings() -> None:
    tuned = {"shift": 2, "lm_top_k": 3, "global_caption": "x", "repaint_mode": "aggressive"}
    assert [sentence.partition(" ")[0] for sentence in order(SineEngine(), **tuned).warnings] == [
        "global_caption",
        "repaint_mode",
        "shift",
        "lm_top_k",
    ]
    assert order(**tuned).warnings == ()


def test_every_parameter_is_plain_or_work_or_tunes() -> None:
    names = {row.name for row in PARAMETERS}
    assert names >= PLAIN
    assert names >= WORK.keys()
    assert not PLAIN & WORK.keys()


def test_the_sketch_engine_does_what_it_says() -> None:
    sketch = load_engine("sketch")
    with pytest.raises(InputError, match="thinking: must be false: the sketch engine has no language model"):
        read_order({"thinking": True}, sketch, lambda: 5)
    assert read_order({"thinking": True}, sketch, lambda: 5, lenient=True).request.planning.thinking is False


@pytest.mark.parametrize(
    ("field", "given", "read", "warning"),
    [
        ("audio_duration", 500, ("duration", 60), "60 was used"),
        ("audio_duration", 1, ("duration", 2), "2 was used"),
        ("model", "gone", ("model", ""), "sine-1 was used"),
        ("bpm", "fast", ("bpm", None), "null was used instead"),
        ("bpm", 9000, ("bpm", 300), "300 was used instead"),
    ],
)
def test_leniently_a_substitution_is_made_and_named(
    field: str, given: object, read: tuple[str, object], warning: str
) -> None:
    engine = AbleEngine(limits=SMALL)
    strict = refusal(engine, **{field: given})
    made = order(engine, lenient=True, **{field: given})
    assert getattr(made.request, read[0]) == read[1]
    assert made.warnings == (f"{strict}; {warning}",)


def test_leniently_too_many_songs_and_seeds_are_as_many_as_allowed() -> None:
    made = order(AbleEngine(limits=SMALL), lenient=True, batch_size=5, seed="1,2,3", use_random_seed=False)
    assert made.request.seeds == (1, 2)
    assert [sentence.partition(":")[0] for sentence in made.warnings] == ["batch_size", "seed"]


def test_leniently_a_cover_without_a_source_is_a_song_and_an_unknown_format_the_default() -> None:
    made = order(lenient=True, task_type="cover", audio_format="mod")
    assert (made.request.editing.task_type, made.audio_format) == ("text2music", "mp3")
    assert made.request.editing.instruction.startswith("Fill the audio semantic mask")
    assert len(made.warnings) == 2


def test_leniently_a_planner_that_is_not_there_is_left_out_and_its_words_are_still_refused() -> None:
    made = order(SineEngine(), lenient=True, thinking=True, use_format=True)
    assert (made.request.planning.thinking, made.request.planning.use_format) == (False, False)
    assert [sentence.rpartition("; ")[2] for sentence in made.warnings] == ["it was not done", "it was not done"]
    assert refusal(SineEngine(), lenient=True, sample_mode=True).startswith("sample_mode: must be false")


async def test_a_lenient_server_says_in_the_song_what_it_replaced(tmp_path: Path) -> None:
    recorded = {"prompt": 5, "bpm": "fast", "inference_steps": "lots", "audio_duration": "long", "batch_size": "one"}
    async with edge(tmp_path, lenient=True) as server:
        response = await server.http.post("/release_task", json=recorded)
        [entry] = await server.query(response.json()["data"]["task_id"])
    assert response.status_code == 200
    assert entry["status"] == 1
    assert entry["result"].count("was used instead") == 8  # four substitutions in each of two songs


async def test_callers_are_told_apart_by_their_address(tmp_path: Path) -> None:
    async with edge(tmp_path) as server:
        callers = []
        submit = server.app.state.tasks.submit
        server.app.state.tasks.submit = lambda made: callers.append(made.caller) or submit(made)
        for address in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
            transport = httpx.ASGITransport(server.app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://acestep") as http:
                assert (await http.post("/release_task", json={"batch_size": 1})).status_code == 200
    assert callers[0] == callers[2] != callers[1]
    assert "10.0.0" not in "".join(callers)
