"""Could the melody be sung? Steps, chord tones, phrases that return, and one note for every syllable."""

from functools import cache
from itertools import pairwise

import pytest

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import make_brief
from acestep_serverless.engines.sketch.harmony import voice
from acestep_serverless.engines.sketch.melody_rhythm import metric_weight, phrases_of
from acestep_serverless.engines.sketch.parts_melody import Memory, melody_notes, sing
from acestep_serverless.engines.sketch.score import Note
from acestep_serverless.engines.sketch.sheet import Sheet, make_sheet
from acestep_serverless.engines.sketch.styles import STYLES
from acestep_serverless.engines.sketch.theory import Key, parse_chord

SEEDS = range(6)
SONG = """[Verse]
Walking down the empty street tonight
Every window holds a little light
I was looking for a place to stay
Till the morning took the dark away

[Chorus]
Carry me over the river
Carry me home
"""


def sheet_of(caption: str, seed: int, lyrics: str = "", duration: float = 90) -> Sheet:
    return make_sheet(make_brief(GenerationRequest(caption, lyrics, duration, (seed,)), seed))


@cache
def tunes(caption: str) -> tuple[tuple[Sheet, list[Note]], ...]:
    """Three songs of a style and their tunes, written once for all tests."""
    sheets = [sheet_of(caption, seed, duration=60) for seed in range(3)]
    return tuple((sheet, melody_notes(sheet)) for sheet in sheets)


@pytest.mark.parametrize("name", STYLES)
def test_melodies_move_mostly_by_step_and_never_leap_beyond_a_ninth(name):
    moves = [abs(a.pitch - b.pitch) for _, notes in tunes(name) for a, b in pairwise(notes)]
    assert sum(move <= 4 for move in moves) / len(moves) > 0.8
    assert sum(move in (6, 10, 11) for move in moves) / len(moves) < 0.03
    assert max(moves) <= 14


@pytest.mark.parametrize("name", STYLES)
def test_strong_beats_carry_chord_tones(name):
    strong = [
        note.pitch % 12 in sheet.span_at(note.start).chord.pitch_classes
        for sheet, notes in tunes(name)
        for note in notes
        if metric_weight(note.start % sheet.plan.beats_per_bar, sheet.brief.meter) >= 0.6
    ]
    assert sum(strong) / len(strong) > 0.85


@pytest.mark.parametrize("name", STYLES)
def test_the_chorus_lies_above_the_verse(name):
    for sheet, notes in tunes(name):
        heights = {
            name: [n.pitch for n in notes if sheet.stretch_at(n.start).name == name] for name in ("verse", "chorus")
        }
        assert sum(heights["chorus"]) / len(heights["chorus"]) > sum(heights["verse"]) / len(heights["verse"])


@pytest.mark.parametrize("name", STYLES)
def test_the_last_note_of_every_phrase_is_in_the_key(name):
    for sheet, _ in tunes(name):
        memory = Memory()
        for phrase in phrases_of(sheet):
            assert sing(sheet, phrase, memory, None)[-1].pitch % 12 in sheet.brief.key.pitch_classes


def test_one_voice_sings_at_a_time():
    for name in STYLES:
        for _, notes in tunes(name):
            assert all(a.start + a.length <= b.start + 1e-6 for a, b in pairwise(notes))


def test_every_syllable_has_its_note():
    for seed in SEEDS:
        sheet = sheet_of("folk", seed, SONG)
        notes = melody_notes(sheet)
        sung = [phrase for phrase in phrases_of(sheet) if phrase.text]
        assert [phrase.notes for phrase in sung[:6]] == [9, 9, 9, 9, 8, 4]
        verse = next(stretch for stretch in sheet.plan.stretches if stretch.name == "verse")
        begin, bar = verse.first * sheet.plan.beats_per_bar, sheet.plan.beats_per_bar
        # The verse's own pickup may lie before it, and its end may hold the next section's.
        low, high = begin - 1, begin + verse.bars * bar
        syllables = sum(line.count for line in verse.lines)
        assert syllables <= sum(low <= note.start < high for note in notes) <= syllables + 2


def test_a_returning_chorus_brings_its_tune_back():
    for seed in SEEDS:
        sheet = sheet_of("pop", seed)
        notes = melody_notes(sheet)
        choruses = [stretch for stretch in sheet.plan.stretches if stretch.name == "chorus"]
        assert len(choruses) >= 2
        bar = sheet.plan.beats_per_bar

        def places(first: int, bar: float = bar, notes: list[Note] = notes) -> set[tuple[float, int]]:
            return {(n.start - first * bar, n.pitch) for n in notes if 0 <= n.start - first * bar < 4 * bar}

        first, second = (places(chorus.first) for chorus in choruses[:2])
        assert len(first & second) / len(first) > 0.6


def test_a_motif_returns_within_its_section():
    shared = []
    for seed in SEEDS:
        sheet = sheet_of("folk", seed)
        letters = [phrase.letter for phrase in phrases_of(sheet) if phrase.section == "verse"]
        shared.append(letters.count("a") >= 2)
    assert all(shared)


def test_voices_move_little_from_chord_to_chord():
    key = Key(0, "major")
    chords = [parse_chord(symbol, key, 3) for symbol in ("1", "6", "4", "5", "1", "3", "2", "5", "1")]
    for before, after in pairwise(voice(chords, 4, 60, rootless=False)):
        assert max(abs(a - b) for a, b in zip(before, after, strict=True)) <= 5


@pytest.mark.parametrize(("mode", "third"), [("major", 4), ("minor", 3)])
def test_a_blue_seventh_keeps_the_keys_own_third(mode, third):
    for degree, root in (("1~7", 0), ("4~7", 5)):
        chord = parse_chord(degree, Key(0, mode), 4)
        assert (chord.root, chord.intervals) == (root, (0, third, 7, 10))
