"""Is the guide's input checked to the letter? Every field, every kind of wrong value, everything reported at once."""

import json
import math

import pytest

from acestep_serverless.contract.music import UNKNOWN_FIELDS_LISTED, MusicInput, parse_music_input
from acestep_serverless.contract.music_fields import FIELDS
from acestep_serverless.contract.music_shown import LONGEST, shown
from acestep_serverless.errors import InputError

GUIDE = [
    ("caption", "string", True, None, "Music/style prompt"),
    ("lyrics", "string", False, "", "Optional lyrics text"),
    ("duration", "integer", False, 90, "Target duration in seconds"),
    ("batch_size", "integer", False, 1, "Number of generations"),
    ("timeout_seconds", "integer", False, 1800, "Max wait for generation"),
    ("poll_interval", "integer", False, 3, "Status polling interval"),
    ("return_audio_base64", "boolean", False, False, "Embed audio data in response"),
    ("max_base64_bytes", "integer", False, 8000000, "Skip base64 if file is larger"),
]
RANGES = {
    "duration": (1, 600),
    "batch_size": (1, 8),
    "timeout_seconds": (1, 86_400),
    "poll_interval": (1, 3_600),
    "max_base64_bytes": (0, 100_000_000),
}
STRINGS = ["caption", "lyrics"]
OPTIONAL = [spec.name for spec in FIELDS if not spec.required]


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


NOT_INTEGERS = {
    "a fraction": 30.5,
    "a number as text": "30",
    "true": True,
    "false": False,
    "an array": [30],
    "an object": {"seconds": 30},
    "NaN": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "a huge integer": 10**10_000,
    "a huge negative integer": -(10**10_000),
    "a huge float": 1e300,
    "a deep document": nested(100_000),
    "a megabyte of text": "3" * 1_000_000,
}
NOT_STRINGS = {
    "a number": 5,
    "true": True,
    "an array": ["x"],
    "an object": {},
    "deep": nested(100_000),
    "NaN": math.nan,
}


def problems_of(value: object) -> dict[str, str]:
    with pytest.raises(InputError) as caught:
        parse_music_input(value)
    assert all(len(problem.given) <= LONGEST for problem in caught.value.problems)
    return {problem.field: str(problem) for problem in caught.value.problems}


def test_the_table_begins_with_the_guides_eight_fields_in_its_order_and_words() -> None:
    table = [(spec.name, spec.type, spec.required, spec.default, spec.description) for spec in FIELDS]
    assert table[:8] == GUIDE


def test_a_caption_alone_gets_the_guides_defaults() -> None:
    assert parse_music_input({"caption": "calm piano"}) == MusicInput(
        caption="calm piano",
        lyrics="",
        duration=90,
        batch_size=1,
        timeout_seconds=1800,
        poll_interval=3,
        return_audio_base64=False,
        max_base64_bytes=8_000_000,
        seed=None,
    )


@pytest.mark.parametrize("field", RANGES)
def test_an_integer_field_takes_both_ends_of_its_range_and_whole_floats(field: str) -> None:
    lowest, highest = RANGES[field]
    for given in (lowest, highest, float(lowest), float(highest)):
        taken = getattr(parse_music_input({"caption": "x", field: given}), field)
        assert taken == given
        assert type(taken) is int


@pytest.mark.parametrize("field", RANGES)
def test_an_integer_field_refuses_what_lies_just_outside_and_says_what_is_allowed(field: str) -> None:
    lowest, highest = RANGES[field]
    for given in (lowest - 1, highest + 1):
        message = problems_of({"caption": "x", field: given})[field]
        assert message == f"{field}: must be a whole number from {lowest:,} to {highest:,}, got {given}"


@pytest.mark.parametrize("field", RANGES)
@pytest.mark.parametrize("kind", NOT_INTEGERS)
def test_an_integer_field_refuses_everything_that_is_no_whole_number(field: str, kind: str) -> None:
    assert list(problems_of({"caption": "x", field: NOT_INTEGERS[kind]})) == [field]


@pytest.mark.parametrize("field", STRINGS)
@pytest.mark.parametrize("kind", NOT_STRINGS)
def test_a_text_field_refuses_everything_that_is_no_text(field: str, kind: str) -> None:
    assert list(problems_of({"caption": "x", field: NOT_STRINGS[kind]})) == [field]


def test_a_boolean_field_takes_only_true_and_false() -> None:
    for given in (0, 1, "true", "yes", 1.0, [], {}, math.nan, 10**10_000):
        assert list(problems_of({"caption": "x", "return_audio_base64": given})) == ["return_audio_base64"]
    assert parse_music_input({"caption": "x", "return_audio_base64": True}).return_audio_base64 is True


@pytest.mark.parametrize("field", OPTIONAL)
def test_null_on_an_optional_field_leaves_it_out(field: str) -> None:
    without = parse_music_input({"caption": "x", field: None})
    assert without == parse_music_input({"caption": "x"})
    assert without.given == {"caption"}


@pytest.mark.parametrize(
    ("given", "said"), [({"caption": None}, "null"), ({}, "nothing"), ({"caption": " \n\t"}, '" \\n\\t"')]
)
def test_a_caption_is_required_and_not_blank(given: dict[str, object], said: str) -> None:
    assert problems_of(given) == {"caption": f"caption: must be a non-blank string, got {said}"}


def test_an_input_that_is_no_object_is_said_to_be_none() -> None:
    for given in (None, [], "caption", 3, math.nan, 10**10_000, nested(100_000), "x" * 1_000_000):
        message = problems_of(given)["input"]
        assert message.startswith("input: must be an object with at least a caption, got ")


def test_every_problem_is_reported_at_once_in_field_order() -> None:
    with pytest.raises(InputError) as caught:
        parse_music_input({"tempo": 1, "duration": 0, "seed": "7"})
    assert [part.partition(":")[0] for part in str(caught.value).split("; ")] == [
        "caption",
        "duration",
        "seed",
        "tempo",
    ]


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("captoin", "caption"),
        ("Lyric", "lyrics"),
        ("batchsize", "batch_size"),
        ("timeout", "timeout_seconds"),
        ("DURATION", "duration"),
        ("prompt", "caption"),
        ("audio_duration", "duration"),
        ("seeds", "seed"),
        ("tempo", "bpm"),
        ("length", "duration"),
    ],
)
def test_an_unknown_field_is_an_error_that_names_the_nearest_known_one(given: str, nearest: str) -> None:
    message = problems_of({"caption": "x", given: 1})[given]
    assert message == f'{given}: is not a known field (the nearest is "{nearest}"), got 1'


def test_a_word_like_no_field_gets_no_guess() -> None:
    message = problems_of({"caption": "x", "zebra": 1})["zebra"]
    assert message == "zebra: is not a known field (docs/api.md lists all 65), got 1"


def test_unknown_fields_by_the_thousand_with_huge_names_give_a_short_error() -> None:
    given = {"caption": "x", "y" * 1_000_000: nested(100_000)} | {f"field_{n}": n for n in range(5_000)}
    with pytest.raises(InputError) as caught:
        parse_music_input(given)
    assert len(caught.value.problems) == UNKNOWN_FIELDS_LISTED + 1
    assert len(str(caught.value)) < 4_000
    assert "4,985 more unknown ones" in str(caught.value)


def test_a_megabyte_of_caption_or_lyrics_is_taken_whole() -> None:
    taken = parse_music_input({"caption": "a" * 1_000_000, "lyrics": "é\n" * 500_000})
    assert (len(taken.caption), len(taken.lyrics)) == (1_000_000, 1_000_000)


@pytest.mark.parametrize("field", STRINGS)
def test_text_that_utf8_cannot_carry_is_refused(field: str) -> None:
    """A lone surrogate in a result would make the SDK drop the whole result."""
    message = problems_of({"caption": "x", field: "la \ud800 la"})[field]
    assert "no lone surrogates" in message
    message.encode("utf-8")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (-7, "-7"),
        (30.5, "30.5"),
        (math.nan, "NaN"),
        (-math.inf, "-Infinity"),
        ("é", '"é"'),
        ([], "an array of 0 items"),
        ({"a": 1}, "an object of 1 field"),
    ],
)
def test_what_was_given_is_shown_as_json_spells_it(value: object, text: str) -> None:
    assert shown(value) == text


def test_an_integer_that_python_refuses_to_print_is_shown_by_its_size() -> None:
    assert shown(10**10_000) == "an integer of about 10,001 digits"
    assert shown(-(10**10_000)) == "a negative integer of about 10,001 digits"


@pytest.mark.parametrize("length", [1, 39, 40, 77, 78, 79, 80, 81, 1_000_000])
@pytest.mark.parametrize("letter", ["a", '"', "\\", "\x00", "é", "\ud800", "😀"])
def test_shown_text_is_never_longer_than_its_limit_and_always_utf8(letter: str, length: int) -> None:
    text = shown(letter * length)
    assert len(text) <= LONGEST
    text.encode("utf-8")


def test_short_text_is_shown_whole() -> None:
    assert json.loads(shown("a" * 78)) == "a" * 78


@pytest.mark.parametrize("name", ["caption", "lyrics"])
def test_text_over_the_limit_is_refused_by_field_with_its_length(name):
    with pytest.raises(InputError) as caught:
        parse_music_input({"caption": "x"} | {name: "é" * 1_000_001})
    (problem,) = caught.value.problems
    assert (problem.field, problem.given) == (name, "1,000,001 characters")
    assert problem.allowed == "must be at most 1,000,000 characters long"
