"""Does the handler take every parameter of the REST API, check it as the API does, and say what does not fit?"""

import json
import math

import pytest

from acestep_serverless.contract.acestep_parameters import PARAMETERS, read_parameters
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.contract.music_fields import FIELDS, SPECS, allowed
from acestep_serverless.errors import InputError

CANONICAL = {row.name for row in PARAMETERS}
GUIDES = {"prompt": "caption", "audio_duration": "duration"}
"""What the guide calls otherwise."""
FILES = {"src_audio_path": "src_audio", "reference_audio_path": "reference_audio"}
"""The server's own files, which nobody outside names."""
EXAMPLES = {
    "bpm": 128,
    "key_scale": "A minor",
    "time_signature": "3",
    "vocal_language": "de",
    "audio_format": "flac",
    "model": "acestep-v15-base",
    "task_type": "repaint",
    "track_name": "drums",
    "track_classes": ["drums", "bass"],
    "repaint_mode": "aggressive",
    "chunk_mask_mode": "explicit",
    "infer_method": "sde",
    "timesteps": [1.0, 0.5],
    "lm_backend": "pt",
    "lm_model_path": "acestep-5Hz-lm-1.7B",
    "lora": "my-voice",
    "shift": 2.0,
    "inference_steps": 30,
    "audio_code_string": "<|audio_code_1|>",
}
"""A value for each parameter that has no obvious one."""
AUDIO = "data:audio/wav;base64," + "UklGRgAA" * 10


def example(name: str) -> object:
    """A value of the parameter that is not its default."""
    usual = {"boolean": not SPECS[name].default, "number": 0.25, "integer": 3, "string": "words"}
    return EXAMPLES[name] if name in EXAMPLES else usual[SPECS[name].type]


def parsed(**fields: object) -> dict[str, object]:
    return dict(parse_music_input({"caption": "x", **fields}).parameters)


def problems_of(**fields: object) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse_music_input(fields)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_every_parameter_of_the_rest_api_is_a_field_under_its_own_name_or_the_guides() -> None:
    own = {spec.name for spec in FIELDS if spec.parameter}
    assert CANONICAL - own - {"lyrics", "batch_size", "seed"} == set(GUIDES) | set(FILES)
    assert own - CANONICAL == set()
    assert all(name in SPECS for name in [*GUIDES.values(), *FILES.values()])


HANDED_ON = [spec.name for spec in FIELDS if spec.parameter and spec.name != "use_random_seed"]


@pytest.mark.parametrize("name", HANDED_ON)
def test_what_is_given_is_what_the_rest_api_reads(name: str) -> None:
    given = example(name)
    source = {"src_audio": AUDIO} if name in ("task_type", "full_analysis_only", "extract_codes_only") else {}
    sent = parsed(**{name: given}, **source)
    assert list(sent) == [name]
    meant = read_parameters({name: given})[name]
    assert meant != SPECS[name].default
    assert read_parameters(json.loads(json.dumps(sent)))[name] == meant


def test_nothing_is_sent_that_was_not_given() -> None:
    assert parsed() == {}
    assert parsed(key_scale=" ", model="", bpm=None) == {}


@pytest.mark.parametrize("spec", [spec for spec in FIELDS if spec.parameter], ids=lambda spec: spec.name)
def test_no_parameter_takes_another_kind_of_value_and_each_says_what_it_takes(spec) -> None:
    wrong = {"boolean": "yes", "number": "0.5", "integer": 0.5, "string": 5}.get(spec.type, {"a": 1})
    for given in (wrong, {}, math.nan):
        message = problems_of(caption="x", **{spec.name: given})[spec.name]
        assert message.startswith(f"{spec.name}: must ")
        assert allowed(spec) in message


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"key_scale": "f# MAJOR"}, {"key_scale": "F# major"}),
        ({"time_signature": 4}, {"time_signature": "4"}),
        ({"time_signature": "6/8"}, {"time_signature": "6"}),
        ({"bpm": 90.0}, {"bpm": 90}),
        ({"timesteps": "1,0.5"}, {"timesteps": "1,0.5"}),
        ({"repainting_end": -1}, {"repainting_end": -1}),
        ({"audio_format": "FLAC"}, {"audio_format": "flac"}),
        ({"lyrics": "la\r\nla", "instruction": "a\r\nb"}, {"instruction": "a\nb"}),
    ],
)
def test_values_are_sent_as_every_version_of_the_server_reads_them(given, sent) -> None:
    assert parsed(**given) == sent


@pytest.mark.parametrize("name", ["model", "lm_model_path", "lora"])
@pytest.mark.parametrize("given", ["/srv/weights", "../x", "a/b", "a b", "C:\\x", "https://x/y", ".", "é"])
def test_a_name_is_never_a_path_of_the_servers_machine(name: str, given: str) -> None:
    assert "must be a name" in problems_of(caption="x", **{name: given})[name]


def test_seeds_are_one_number_for_a_row_or_one_for_each_song() -> None:
    row = parse_music_input({"caption": "x", "batch_size": 3, "seed": 4_294_967_294})
    assert row.seeds == (4_294_967_294, 4_294_967_295, 0)
    each = parse_music_input({"caption": "x", "batch_size": 3, "seed": [7, 1.0, 7]})
    assert each.seeds == (7, 1, 7)
    assert parse_music_input({"caption": "x"}).seeds is None


@pytest.mark.parametrize(
    "given", [-1, 4_294_967_296, 0.5, "7", True, [], [True], [-1], ["1"], [None], [[1]], [1] * 1000, math.inf, {}]
)
def test_what_is_no_seed_is_refused_in_one_sentence(given: object) -> None:
    assert problems_of(caption="x", seed=given)["seed"].startswith(
        "seed: must be a whole number from 0 to 4,294,967,295, or a list of them, one for each song, got "
    )


@pytest.mark.parametrize(("seed", "songs"), [([1, 2], 1), ([1], 2), ([1, 2, 3], 2)])
def test_a_list_of_seeds_has_one_for_each_song(seed: list[int], songs: int) -> None:
    assert "one seed for each song" in problems_of(caption="x", seed=seed, batch_size=songs)["seed"]


def test_use_random_seed_says_the_same_as_the_seed_or_is_refused() -> None:
    assert parsed(use_random_seed=False, seed=7) == parsed(use_random_seed=True) == {}
    assert list(problems_of(caption="x", use_random_seed=True, seed=7)) == ["use_random_seed"]
    assert list(problems_of(caption="x", use_random_seed=False)) == ["use_random_seed"]


@pytest.mark.parametrize("task", ["cover", "cover-nofsq", "repaint", "lego", "extract", "complete"])
def test_a_task_that_works_on_audio_needs_it(task: str) -> None:
    assert list(problems_of(caption="x", task_type=task)) == ["src_audio"]
    assert parsed(task_type=task, src_audio=AUDIO) == {"task_type": task}


@pytest.mark.parametrize("wish", ["full_analysis_only", "extract_codes_only"])
def test_an_analysis_of_audio_needs_it_and_no_words(wish: str) -> None:
    assert list(problems_of(**{wish: True})) == ["src_audio"]
    request = parse_music_input({wish: True, "src_audio": AUDIO})
    assert (request.analysis, request.caption) == (wish, "")


def test_codes_take_the_place_of_audio_for_a_cover_only() -> None:
    assert "audio_code_string" in parsed(task_type="cover", audio_code_string="<|audio_code_1|>")
    assert list(problems_of(caption="x", task_type="repaint", audio_code_string="<|audio_code_1|>")) == ["src_audio"]


def test_audio_that_nothing_works_on_is_refused_and_a_reference_is_not() -> None:
    assert "cover" in problems_of(caption="x", src_audio=AUDIO)["src_audio"]
    assert parse_music_input({"caption": "x", "reference_audio": AUDIO}).reference_audio is not None


@pytest.mark.parametrize(
    "given",
    [
        {"sample_mode": True},
        {"sample_query": "a song about rain"},
        {"sample_query": "rain", "caption": " "},
        {"task_type": "extract", "src_audio": AUDIO, "track_name": "drums"},
    ],
)
def test_a_caption_may_be_left_out_where_nobody_needs_it(given: dict[str, object]) -> None:
    assert parse_music_input(given).caption.strip() == ""


def test_a_field_that_is_wrong_by_itself_is_not_said_to_be_missing_as_well() -> None:
    problems = problems_of(caption=5, task_type="cover", src_audio=7, seed="x", batch_size=99)
    assert list(problems) == ["caption", "batch_size", "seed", "src_audio"]


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("keyScale", "key_scale"),
        ("inferenceSteps", "inference_steps"),
        ("src_audio_path", "src_audio"),
        ("reference_audio_path", "reference_audio"),
        ("format", "audio_format"),
        ("language", "vocal_language"),
        ("audioDuration", "duration"),
        ("lm_temprature", "lm_temperature"),
    ],
)
def test_other_names_of_a_parameter_are_refused_with_its_own(given: str, nearest: str) -> None:
    assert f'the nearest is "{nearest}"' in problems_of(caption="x", **{given: 1})[given]
