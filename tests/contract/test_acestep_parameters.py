"""How is the body of `/release_task` read? Every alias, every kind of value, every place to look, and every refusal."""

from typing import Any

import pytest

from acestep_serverless.contract.acestep_parameters import (
    DEFAULTS,
    LANGUAGES,
    PARAMETERS,
    read_leniently,
    read_parameters,
)
from acestep_serverless.errors import InputError


def read(**body: Any) -> dict[str, Any]:
    return {name: value for name, value in read_parameters(body).items() if value != DEFAULTS[name]}


def problems(**body: Any) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_parameters(body)
    return [str(problem) for problem in caught.value.problems]


def test_no_name_belongs_to_two_parameters() -> None:
    names = [name for row in PARAMETERS for name in (row.name, *row.aliases)]
    assert len(names) == len(set(names))


def test_an_empty_body_has_every_default() -> None:
    assert read() == {}
    assert (DEFAULTS["task_type"], DEFAULTS["audio_format"], DEFAULTS["use_random_seed"]) == ("text2music", "mp3", True)


ANOTHER = {
    "bpm": 77,
    "key_scale": "E minor",
    "time_signature": "3",
    "audio_duration": 33.0,
    "vocal_language": "fr",
    "batch_size": 3,
    "seed": (5,),
    "task_type": "cover",
    "track_name": "drums",
    "track_classes": ("drums",),
    "inference_steps": 27,
    "timesteps": (0.9, 0.5),
    "repaint_mode": "aggressive",
    "chunk_mask_mode": "explicit",
    "infer_method": "sde",
    "lm_backend": "pt",
}


@pytest.mark.parametrize(("name", "alias"), [(r.name, a) for r in PARAMETERS for a in (r.name, *r.aliases)])
def test_each_name_of_each_parameter_is_read(name: str, alias: str) -> None:
    default = DEFAULTS[name]
    value: Any = ANOTHER.get(name, "words")
    if name not in ANOTHER and isinstance(default, bool):
        value = not default
    elif (name not in ANOTHER and isinstance(default, int | float)) or name == "repainting_end":
        value = 1 if default != 1 else 0.5
    given = {"seed": 5, "track_classes": ["drums"], "timesteps": "0.9, 0.5"}.get(name, value)
    assert read(**{alias: given}) == {name: value}


def test_the_canonical_name_goes_before_its_aliases_and_the_body_before_what_is_nested() -> None:
    assert read(prompt="a", caption="b")["prompt"] == "a"
    assert read(bpm=100, param_obj={"bpm": 77}, metas={"bpm": 60})["bpm"] == 100
    assert read(
        param_obj='{"duration":33,"bpm":77,"key":"E minor"}', user_metadata='{"bpm":99,"timesignature":"2"}'
    ) == {
        "audio_duration": 33.0,
        "bpm": 77,
        "key_scale": "E minor",
        "time_signature": "2",
    }


def test_null_is_absent_and_falls_through_to_the_nested_value() -> None:
    assert read(bpm=None, metas={"bpm": 60}) == {"bpm": 60}


def test_only_the_first_filled_name_for_nested_metadata_counts() -> None:
    assert read(metas={}, meta={"bpm": 60}, metadata={"bpm": 61}) == {"bpm": 60}


def test_unknown_names_are_ignored() -> None:
    assert read(batchSize=3, nonsense=[1]) == {}


@pytest.mark.parametrize("given", [128, 128.0, "128", " 128 ", "128.0", "1.28e2"])
def test_a_whole_number_may_be_written_in_several_ways(given: object) -> None:
    assert read(bpm=given) == {"bpm": 128}


@pytest.mark.parametrize("given", [120.7, "fast", True, [120], {}, 29, 301, float("nan"), 10**400, "1" * 4000, "1e999"])
def test_a_number_that_is_none_or_out_of_range_is_refused_by_name(given: object) -> None:
    [problem] = problems(bpm=given)
    assert problem.startswith("bpm: must be a whole number from 30 to 300, got ")
    assert len(problem) < 150


@pytest.mark.parametrize("given", [0, -1, "0", None, ""])
def test_a_duration_of_nothing_leaves_the_length_open(given: object) -> None:
    assert read(audio_duration=given) == {}


@pytest.mark.parametrize("given", [0.5, 600.1, -2, "long", float("inf"), False])
def test_a_duration_out_of_range_is_refused(given: object) -> None:
    assert problems(duration=given)[0].startswith("audio_duration: must be a number from 1 to 600, got ")


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (7, (7,)),
        ("1,2,3", (1, 2, 3)),
        ([1, 2.0], (1, 2)),
        ("4,,-1", (4, None, None)),
        (0, (0,)),
        (2**32 - 1, (2**32 - 1,)),
    ],
)
def test_seeds_are_a_number_a_list_or_a_text(given: object, seeds: tuple[int | None, ...]) -> None:
    assert read(seed=given) == {"seed": seeds}


@pytest.mark.parametrize("given", [2**32, -2, "1,two", True, 1.5, {}])
def test_seeds_out_of_range_are_refused(given: object) -> None:
    assert problems(seed=given)[0].startswith("seed: must hold whole numbers from 0 to 4,294,967,295")


@pytest.mark.parametrize("given", ["1", "TRUE", "yes", "on", True, 1, 1.0])
def test_words_for_true(given: object) -> None:
    if given == 1.0 and isinstance(given, float):
        assert problems(thinking=given) == ["thinking: must be true or false, got 1.0"]
    else:
        assert read(thinking=given) == {"thinking": True}


@pytest.mark.parametrize("given", ["0", "false", "No", "off", False, 0])
def test_words_for_false(given: object) -> None:
    assert read(use_random_seed=given) == {"use_random_seed": False}


def test_any_other_word_is_refused_where_upstream_takes_it_for_false() -> None:
    assert problems(useRandomSeed="maybe") == ['use_random_seed: must be true or false, got "maybe"']


def test_a_file_format_under_the_name_of_the_polish_is_told_where_it_belongs() -> None:
    assert problems(format="mp3") == [
        'use_format: must be true or false (the file format is `audio_format`), got "mp3"'
    ]
    assert read_leniently({"format": "mp3"})[0]["use_format"] is False


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ("C# minor", "C# minor"),
        ("Am", "A minor"),
        ("bb Major", "Bb major"),
        ("F♯ MINOR", "F# minor"),
        ("g", "G major"),
        ("CM", "C major"),
    ],
)
def test_keys_are_written_as_the_language_model_does(given: str, key: str) -> None:
    assert read(key_scale=given) == {"key_scale": key}


MILLIONS = 4_000_000


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("key_scale", "A" + " " * MILLIONS + "x"),
        ("seed", "1," * MILLIONS),
        ("seed", [1] * MILLIONS),
        ("track_classes", "drums," * MILLIONS),
        ("timesteps", "0.5," * MILLIONS),
        ("track_name", " " * MILLIONS + "x"),
        ("bpm", "1" * MILLIONS),
        ("vocal_language", "e" * MILLIONS),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 99 else "",
)
def test_megabytes_are_refused_without_much_thought(field: str, given: object) -> None:
    assert problems(**{field: given})[0].startswith(f"{field}: must ")


@pytest.mark.parametrize(("given", "signature"), [(3, "3"), ("6/8", "6"), ("4/4", "4"), (2.0, "2")])
def test_time_signatures_are_written_as_the_language_model_does(given: object, signature: str) -> None:
    assert read(time_signature=given) == {"time_signature": signature}


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("key_scale", "H minor"),
        ("time_signature", "5/4"),
        ("task_type", "remix"),
        ("vocal_language", "klingon"),
        ("lm_backend", "gguf"),
        ("repaint_strength", 2),
        ("prompt", ["a", "b"]),
        ("prompt", True),
        ("lyrics", "\ud800"),
        ("shift", 0),
        ("track_name", "kazoo"),
        ("track_classes", ["drums", "kazoo"]),
        ("track_classes", 5),
        ("timesteps", "0.5,0.9"),
        ("timesteps", "0.5,two"),
        ("timesteps", [1.5]),
        ("timesteps", [0.5] * 1000),
        ("param_obj", "{broken"),
        ("metas", [1]),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_by_name(field: str, given: object) -> None:
    [problem] = problems(**{field: given})
    assert problem.startswith(f"{field}: must ")


def test_all_problems_are_told_together_in_the_order_of_the_table() -> None:
    assert [text.split(":")[0] for text in problems(batch_size=9, bpm=1, duration=0.1)] == [
        "bpm",
        "audio_duration",
        "batch_size",
    ]


def test_a_number_is_a_text_where_a_text_is_due() -> None:
    assert read(prompt=5) == {"prompt": "5"}


def test_there_are_fifty_languages_and_unknown() -> None:
    assert len(set(LANGUAGES)) == 51
    assert read(language="DE") == {"vocal_language": "de"}


@pytest.mark.parametrize("given", ["Backing Vocals", "backing-vocals", "backing_vocals"])
def test_a_track_may_be_written_in_several_ways(given: str) -> None:
    assert read(track_name=given) == {"track_name": "backing_vocals"}


def test_tracks_are_a_list_or_a_text_with_commas_or_bars() -> None:
    expected = {"track_classes": ("drums", "bass")}
    assert read(track_classes="Drums, bass") == read(instruments=["drums", "bass", "drums"]) == expected
    assert read(track_classes="DRUMS | BASS") == expected


def test_all_tokens_are_allowed_with_a_top_p_of_one_and_none_asks_for_the_default() -> None:
    assert read(lm_top_p=1) == {"lm_top_p": 1.0}
    assert read(lm_top_p=0) == {}


def test_the_recorded_wrong_types_are_read_as_upstream_reads_them_and_named() -> None:
    values, sentences = read_leniently(
        {"prompt": 5, "bpm": "fast", "audio_duration": "long", "batch_size": "one", "guidance_scale": "x"}
    )
    assert values["prompt"] == "5"
    assert [values[name] for name in ("bpm", "audio_duration", "batch_size", "guidance_scale")] == [None, None, None, 7]
    assert sentences[0] == 'bpm: must be a whole number from 30 to 300, got "fast"; null was used instead'
    assert len(sentences) == 4


@pytest.mark.parametrize(
    ("field", "given", "used"),
    [
        ("bpm", 9000, 300),
        ("bpm", 1, 30),
        ("audio_duration", 1e9, 600.0),
        ("batch_size", 64, 8),
        ("repaint_strength", 2, 1.0),
        ("use_random_seed", "maybe", False),
        ("task_type", "remix", "text2music"),
        ("key_scale", "H minor", ""),
        ("lyrics", "\ud800", "\\ud800"),
        ("seed", "1,two", (None,)),
        ("shift", float("nan"), 3.0),
    ],
)
def test_what_is_too_much_is_the_most_allowed_and_nonsense_the_default(field: str, given: object, used: object) -> None:
    values, [sentence] = read_leniently({field: given})
    assert values[field] == used
    assert sentence.startswith(f"{field}: must ")


def test_a_broken_nested_object_is_an_empty_one_in_the_lenient_reading() -> None:
    values, [sentence] = read_leniently({"metas": "{broken", "bpm": 90})
    assert values["bpm"] == 90
    assert sentence.endswith("nothing was used instead")


def test_a_body_that_is_right_reads_the_same_in_both_ways() -> None:
    body = {"prompt": "x", "bpm": "90", "metas": {"key": "Am"}, "seed": "1,2"}
    assert read_leniently(body) == (read_parameters(body), ())
