"""Is every score playable, whole and as asked, whatever the request?"""

import json
from dataclasses import asdict, replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acestep_serverless.engines.base import SEED_MAXIMUM, GenerationRequest
from acestep_serverless.engines.sketch.brief import Brief, make_brief
from acestep_serverless.engines.sketch.composer import compose, make_parts
from acestep_serverless.engines.sketch.grids import BEATS_PER_BAR
from acestep_serverless.engines.sketch.harmony import power_chord
from acestep_serverless.engines.sketch.parts_melody import make_tune
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.sheet import make_sheet
from acestep_serverless.engines.sketch.styles import STYLES
from acestep_serverless.engines.sketch.theory import Chord, parse_key

KEYS = [
    f"{letter}{sign} {mode}" for letter in "ABCDEFG" for sign in ("", "#", "b", "♯", "♭") for mode in ("major", "minor")
]
LYRICS = """[Verse 1]
Walking down the empty street tonight
Every window holds a little light

[Pre-Chorus]
And I wonder

[Chorus]
Carry me over the river
Carry me home

[Guitar Solo]

[Whatever]
Somewhere a door is open

[Outro]
Home
"""


def request(caption: str = "pop", duration: float = 90, lyrics: str = "", **fields) -> GenerationRequest:
    return GenerationRequest(caption, lyrics, duration, (1,), **fields)


def parts_of(brief: Brief) -> tuple[Part, ...]:
    sheet = make_sheet(brief)
    return make_parts(sheet, make_tune(sheet))


def assert_playable(score: Score) -> None:
    """What the band may rely on: sections tile the song, notes are in range and end in time to ring out."""
    beats = score.seconds * score.tempo / 60
    tail = min(1.5, 0.3 * score.seconds) * score.tempo / 60
    assert score.sections[0].start == 0
    assert all(a.start + a.length == pytest.approx(b.start) for a, b in pairwise(score.sections))
    assert score.sections[-1].start + score.sections[-1].length == pytest.approx(beats)
    assert all(section.length > 0 and 0 < section.energy <= 1 for section in score.sections)
    assert score.parts
    for part in score.parts:
        assert part.notes
        assert list(part.notes) == sorted(part.notes)
        for note in part.notes:
            assert 0 <= note.pitch <= 127
            assert 1 <= note.velocity <= 127
            assert note.start >= 0
            assert note.length > 0
            assert note.start + note.length <= beats - tail + 1e-3


@pytest.mark.parametrize("name", STYLES)
def test_every_style_composes_songs_of_every_length(name):
    for duration, seed in ((1, 1), (5, 2), (30, 3), (90, 4)):
        score = compose(request(name, duration), seed).score
        assert (score.style, score.seconds) == (name, duration)
        assert_playable(score)


@pytest.mark.parametrize("name", ["pop", "salsa", "waltz", "trance"])
def test_a_song_of_ten_minutes_has_its_whole_form_and_ends(name):
    score = compose(request(name, 600), 5).score
    assert_playable(score)
    assert {"intro", "verse", "chorus", "bridge", "outro"} <= {section.name for section in score.sections}


@settings(max_examples=25, deadline=None)
@given(
    style=st.sampled_from(sorted(STYLES)),
    duration=st.one_of(st.integers(1, 40), st.floats(1, 120), st.just(300)),
    seed=st.integers(0, SEED_MAXIMUM),
    key=st.sampled_from(["", *KEYS]),
    meter=st.sampled_from(["", *BEATS_PER_BAR]),
    bpm=st.one_of(st.none(), st.integers(30, 300)),
    lyrics=st.sampled_from(["", LYRICS, "la\n" * 60, "[Chorus]\n" * 30, "[Verse]\n" + "very long words " * 30]),
)
def test_any_request_gives_a_playable_score_that_obeys_it(style, duration, seed, key, meter, bpm, lyrics):
    score = compose(request(style, duration, lyrics, bpm=bpm, key_scale=key, time_signature=meter), seed).score
    assert_playable(score)
    assert score.time_signature == (meter or STYLES[style].meter)
    assert score.beats_per_bar == BEATS_PER_BAR[score.time_signature]
    assert bpm is None or score.tempo == bpm
    assert not key or score.key_scale == key


def test_the_same_seed_gives_the_same_score_and_another_seed_another_song():
    for name in ("pop", "jazz", "baroque", "trance"):
        first, again, other = (compose(request(name, 30), seed) for seed in (4, 4, 5))
        assert first == again
        tunes = [next(p.notes for p in c.score.parts if p.role == "melody") for c in (first, other)]
        assert tunes[0] != tunes[1]


def test_the_callers_list_of_seeds_plays_no_part():
    one = GenerationRequest("pop", "", 30, (1,))
    many = GenerationRequest("pop", "", 30, (7, 8, 9))
    assert compose(one, 3) == compose(many, 3)


def test_leaving_out_one_part_moves_no_other():
    brief = make_brief(request("rock", 30), 3)
    full = parts_of(brief)
    without = parts_of(replace(brief, seats=replace(brief.seats, silent=frozenset({"drums"}))))
    assert len(without) == len(full) - 1
    assert without == tuple(part for part in full if part.role != "drums")


def test_a_thousand_short_sections_are_all_played():
    score = compose(request("pop", 600, "[Verse]\nla\n[Chorus]\nhey\n" * 1500, bpm=300, time_signature="2"), 1).score
    assert len(score.sections) > 1000


def test_a_score_is_plain_data():
    composition = compose(request("jazz", 30), 1)
    assert json.loads(json.dumps(asdict(composition)))["score"]["style"] == "jazz"


def test_a_free_tempo_is_tuned_so_that_whole_bars_fill_the_song():
    for seed in range(5):
        score = compose(request("pop", 90), seed).score
        bars = score.seconds * score.tempo / 60 / score.beats_per_bar
        assert bars == pytest.approx(round(bars))


@pytest.mark.parametrize("name", STYLES)
def test_the_song_ends_on_the_tonic_and_together(name):
    for seed in range(2):
        score = compose(request(name, 30), seed).score
        tonic = parse_key(score.key_scale).tonic
        bass = next(part for part in score.parts if part.role == "bass")
        melody = next(part for part in score.parts if part.role == "melody")
        assert bass.notes[-1].pitch % 12 == tonic
        assert melody.notes[-1].pitch % 12 == tonic
        assert abs(bass.notes[-1].start - melody.notes[-1].start) < 0.3
        assert bass.notes[-1].length * 60 / score.tempo > 0.5


@pytest.mark.parametrize("name", STYLES)
def test_energy_and_fullness_rise_from_intro_to_chorus(name):
    score = compose(request(name, 60), 2).score
    energy = {section.name: section.energy for section in score.sections}
    assert energy["intro"] < energy["verse"] < energy["chorus"]

    def density(section_name: str) -> float:
        section = next(s for s in score.sections if s.name == section_name)
        notes = [n for p in score.parts for n in p.notes if 0 <= n.start - section.start < section.length]
        return sum(note.velocity for note in notes) / section.length

    assert density("intro") < density("chorus")


@pytest.mark.parametrize("name", [name for name, style in STYLES.items() if style.drums])
def test_sections_end_with_a_fill(name):
    score = compose(request(name, 60, bpm=100, key_scale="C major"), 2).score
    drums = next(part for part in score.parts if part.role == "drums").notes
    bar = score.beats_per_bar

    def struck(start: float) -> set[tuple[float, int]]:
        return {(round((n.start - start) * 4), n.pitch) for n in drums if start - 0.05 <= n.start < start + bar - 0.05}

    verse = next(section for section in score.sections if section.name == "verse")
    assert struck(verse.start + verse.length - bar) != struck(verse.start + verse.length - 3 * bar)


def test_lyrics_decide_the_form():
    composition = compose(request("pop", 90, LYRICS), 1)
    names = [section.name for section in composition.score.sections]
    wanted = ["verse", "prechorus", "chorus", "instrumental", "verse"]
    assert any(names[i : i + 5] == wanted for i in range(len(names)))
    assert names[-1] == "outro"
    assert composition.warnings == ()


def test_an_instrumental_has_no_warning():
    for lyrics in ("", "[instrumental]", "[Intro]\n[Chorus]\n[Outro]"):
        assert compose(request("pop", 60, lyrics), 1).warnings == ()


def test_lyric_sections_that_find_no_room_are_said():
    warnings = compose(request("pop", 6, "[Verse]\nla la\n[Chorus]\nhey\n" * 20, bpm=60), 1).warnings
    assert "left out" in warnings[0]


def test_distorted_guitars_play_the_minor_third_over_minor_chords():
    """Their overtones sound a major one by themselves."""
    for colour, wanted in (((0, 3, 7), (45, 52, 60)), ((0, 4, 7), (45, 52, 57)), ((0, 3, 6, 10), (45, 51, 60))):
        assert power_chord(Chord(9, colour), 47) == wanted


def test_no_drums_means_no_drums_and_solo_piano_means_only_piano():
    assert all(part.role != "drums" for part in compose(request("rock, no drums", 30), 1).score.parts)
    solo = compose(request("solo piano", 30), 1).score
    assert {part.program for part in solo.parts} == {0}
    assert {part.role for part in solo.parts} <= {"bass", "chords", "melody"}


def test_instruments_that_a_style_lacks_join_it_when_named():
    roles = {part.role: part.program for part in compose(request("jazz with strings and harp", 60), 1).score.parts}
    assert (roles["pad"], roles["arpeggio"]) == (48, 46)
