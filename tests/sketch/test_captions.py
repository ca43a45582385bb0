"""Does every word of a caption land where it was meant? Styles by many names, players, keys, numbers, voices."""

from itertools import pairwise

import pytest

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import Brief, make_brief, named_key
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.seats import FAMILIES, GENERIC, INSTRUMENTS, SUBSTITUTES, negations
from acestep_serverless.engines.sketch.words import VOICE_WORDS, normalise


def brief(caption: str, seed: int = 1, **fields) -> Brief:
    return make_brief(GenerationRequest(caption, fields.pop("lyrics", ""), 30, (seed,), **fields), seed)


def score(caption: str, **fields) -> Score:
    return compose(GenerationRequest(caption, "", 30, (1,), **fields), 1).score


@pytest.mark.parametrize(
    ("caption", "style"),
    [
        ("indie rock with jangly guitars", "indie"),
        ("pop-punk skate anthem", "punk"),
        ("brutal death metal", "metal"),
        ("12 bar blues shuffle with harmonica", "blues"),
        ("bluegrass hoedown, banjo and fiddle", "country"),
        ("uplifting trance with supersaws", "trance"),
        ("filthy dubstep wobble drop", "dubstep"),
        ("70s disco with strings", "disco"),
        ("8-bit video game boss fight", "chiptune"),
        ("old school boom bap rap", "hip hop"),
        ("Motown soul", "soul"),
        ("smooth R&B slow jam", "r&b"),
        ("gospel choir, church organ", "gospel"),
        ("Cuban salsa with congas", "salsa"),
        ("reggaeton dembow", "reggaeton"),
        ("Nigerian afrobeats", "afrobeat"),
        ("Argentine tango, bandoneon", "tango"),
        ("two-tone ska with horns", "ska"),
        ("Irish jig with tin whistle", "celtic"),
        ("baby's lullaby, music box", "lullaby"),
        ("a Viennese waltz", "waltz"),
        ("military march for brass band", "march"),
        ("classical piano sonata", "classical piano"),
        ("string quartet in the style of Haydn", "string quartet"),
        ("baroque fugue for harpsichord", "baroque"),
        ("romantic symphony orchestra", "orchestral"),
        ("epic movie trailer", "cinematic"),
        ("drum & bass", "drum and bass"),
        ("lo-fi hip hop beats", "lo-fi hip hop"),
        ("trap beat with 808s and hi-hats", "trap"),
    ],
)
def test_styles_are_known_by_many_names(caption, style):
    assert {brief(caption, seed).style.name for seed in range(4)} == {style}


def test_every_named_instrument_plays_and_a_second_soloist_takes_another_seat():
    found = {part.role: part.program for part in score("folk with strings, a flute and a violin").parts}
    assert (found["pad"], found["melody"], found["counter"]) == (48, 73, 40)
    assert "drums" in {part.role for part in score("string quartet with drums").parts}
    assert "drums" not in {part.role for part in score("string quartet").parts}


def test_a_family_that_the_style_has_already_brings_nobody_new():
    assert dict(brief("rock with guitars").seats.programs) == {}
    assert dict(brief("house with guitar").seats.programs) == {"arpeggio": 25}


@pytest.mark.parametrize("family", ["piano", "guitar", "strings", "synths", "brass"])
@pytest.mark.parametrize("style", ["pop", "rock", "disco", "trance"])
def test_an_instrument_that_is_left_out_is_replaced_and_not_heard(family, style):
    parts = score(f"{style}, no {family}").parts
    assert not [part.role for part in parts if part.role != "drums" and part.program in FAMILIES[family]]
    assert {"chords", "melody"} <= {part.role for part in parts}


@pytest.mark.parametrize(
    ("caption", "left_out", "kept"),
    [
        ("rock, no drums, no bass, no pads", ("drums", "bass", "pads"), "rock"),
        ("pop without any drums or the bass and with flute", ("drums", "bass"), "pop with flute"),
        ("jazz minus piano", ("piano",), "jazz"),
        ("no rock just jazz", (), "just jazz"),
        ("beatless ambient without", ("beat",), "ambient"),
    ],
)
def test_negations_reach_as_far_as_they_name_things(caption, left_out, kept):
    text, dropped = negations(normalise(caption))
    assert tuple(dropped) == left_out
    assert text.replace("and ", "") == kept


def test_a_solo_instrument_fills_the_time_between_its_chords():
    chords = next(part for part in score("solo harp, pop", bpm=40).parts if part.role == "chords").notes
    gaps = [(after.start - before.start) * 1.5 for before, after in pairwise(chords)]
    assert max(gaps[:-8]) < 1.5


def test_tables_of_instruments_agree():
    assert set(GENERIC) <= set(FAMILIES)
    assert all(role in {*SUBSTITUTES, "drums"} for _, roles in INSTRUMENTS.values() for role in roles)


@pytest.mark.parametrize(
    ("caption", "tonic", "mode"),
    [
        ("pop in D minor", 2, "minor"),
        ("pop in c# minor", 1, "minor"),
        ("B-flat major march", 10, "major"),
        ("song in the key of G", 7, ""),
        ("rock in Em", 4, "minor"),
        ("techno in F#", 6, ""),
        ("A minor waltz", 9, "minor"),
        ("a minor key ballad", None, "minor"),
        ("a major hit", None, "major"),
        ("in a minor key", None, "minor"),
        ("dorian funk", None, "minor"),
        ("mixolydian jam", None, "major"),
        ("a happy song in April", None, ""),
    ],
)
def test_keys_are_read_where_they_are_meant(caption, tonic, mode):
    assert named_key(caption) == (tonic, mode)


@pytest.mark.parametrize(
    ("caption", "tempo"),
    [("rock 92 bpm", 92), ("rock at 140BPM", 140), ("tempo of 75", 75), ("BPM: 101, house", 101), ("1999 rock", None)],
)
def test_tempo_numbers_are_exact(caption, tempo):
    found = brief(caption)
    assert found.tempo_given == (tempo is not None)
    assert tempo is None or found.tempo == tempo


@pytest.mark.parametrize(
    ("caption", "meter"),
    [("rock in 6/8", "6"), ("pop, triple meter", "3"), ("a lullaby", "3"), ("a march", "2"), ("lullaby in 4/4", "4")],
)
def test_meters_are_named_or_the_styles_own(caption, meter):
    assert brief(caption).meter == meter
    assert brief(caption, time_signature="2").meter == "2"


@pytest.mark.parametrize(("words", "kind"), VOICE_WORDS.items())
def test_the_voice_is_the_one_that_the_caption_names(words, kind):
    singing = brief(f"pop with {words} vocals", lyrics="la la la").singing
    assert singing is not None
    assert singing.kind == kind


def test_decades_change_the_instruments_of_styles_that_are_not_theirs():
    programs = {part.role: part.program for part in score("80s pop").parts}
    assert (programs["bass"], programs["drums"]) == (38, 24)


def test_what_was_understood_is_said_in_words():
    found = brief("sad 80s pop with flute, slow, no drums", lyrics="la la").understood
    assert found[0] == "pop"
    assert {"sad", "80s", "slow", "flute", "no drums"} <= set(found)
    assert any(word.endswith("voice") for word in found)
    assert brief("zzyzx pop").understood == ("pop",)
    assert brief("piano ballad").understood == ("piano ballad",)
