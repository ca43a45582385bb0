"""Do the styles differ where an ear would notice: in the drum pattern, in the bass figure, in the chords?"""

from collections.abc import Callable, Hashable, Iterable
from itertools import combinations

import pytest

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.grids import STEPS, bar_events, clean
from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.styles import STYLES, Style
from acestep_serverless.engines.sketch.styles.model import LANES, Comping, Groove
from acestep_serverless.engines.sketch.theory import Key, parse_chord

METERS = ("2", "3", "4", "6")
MODES = ("major", "minor")
BARS = 4


def clashes(patterns_of: Callable[[Style], Iterable[Hashable]]) -> list[tuple[str, str, Hashable]]:
    """Every pattern that two styles share, with their names."""
    patterns = {name: set(patterns_of(style)) for name, style in STYLES.items()}
    return [(a, b, shared) for a, b in combinations(patterns, 2) for shared in patterns[a] & patterns[b]]


def struck(groove: Groove, meter: str) -> Hashable:
    """When each drum is struck over four bars, without how hard."""
    return frozenset(
        (LANES[lane], bar, event.start)
        for lane, grid in groove.items()
        for bar in range(BARS)
        for event in bar_events(grid, meter, bar)
    )


def figure(grid: str, meter: str) -> Hashable:
    """Which tone of the chord the bass plays when, over four bars; soft roots are roots."""
    return tuple(
        (bar, event.start, event.mark.upper()) for bar in range(BARS) for event in bar_events(grid, meter, bar)
    )


def roots(text: str, mode: str, tones: int) -> Hashable:
    """The roots of a progression by half bars: colours and inversions do not make it another one."""
    halves = [(bar.split()[0], bar.split()[-1]) for bar in text.split("|")]
    found = [parse_chord(symbol, Key(0, mode), tones).root for pair in halves for symbol in pair]
    return tuple(found * (16 // len(found)))


def all_progressions(style: Style) -> tuple[str, ...]:
    return style.progressions.verse + style.progressions.chorus + style.progressions.bridge


def composed(style: str, meter: str = "4") -> Score:
    """A song of every style in the same key and tempo."""
    request = GenerationRequest(style, "", 60, (1,), bpm=120, key_scale="A minor", time_signature=meter)
    return compose(request, 7).score


def rounded(score: Score, role: str, first: float, beats: float) -> frozenset[tuple[float, int]]:
    """A stretch of a part as the sheet music would show it: starts to the nearest sixteenth, and pitches."""
    notes = next(part.notes for part in score.parts if part.role == role)
    return frozenset(
        (round((n.start - first) * 4) / 4, n.pitch) for n in notes if first - 0.1 <= n.start < first + beats - 0.1
    )


def test_there_are_at_least_twelve_styles_and_each_is_listed_under_its_own_name():
    assert len(STYLES) >= 12
    assert all(name == style.name for name, style in STYLES.items())


@pytest.mark.parametrize("meter", METERS)
def test_no_two_styles_share_a_drum_pattern_or_a_fill(meter):
    assert not clashes(
        lambda s: [
            struck(s.drums.verse, meter),
            struck(s.drums.chorus, meter),
            *(struck(f, meter) for f in s.drums.fills),
        ]
    )


@pytest.mark.parametrize("meter", METERS)
def test_no_two_styles_share_a_bass_figure(meter):
    assert not clashes(lambda style: [figure(style.bass.verse, meter), figure(style.bass.chorus, meter)])


@pytest.mark.parametrize("mode", MODES)
def test_no_two_styles_share_a_chord_progression(mode):
    assert not clashes(lambda style: [roots(text, mode, style.progressions.tones) for text in all_progressions(style)])


def test_no_two_styles_share_a_way_of_playing_chords():
    assert not clashes(lambda style: [clean(style.chords.verse), clean(style.chords.chorus)])


@pytest.mark.parametrize("role", ["drums", "bass", "chords"])
@pytest.mark.parametrize("meter", METERS)
def test_the_composed_notes_of_two_styles_differ_in_verse_and_chorus(role, meter):
    scores = {name: composed(name, meter) for name in STYLES}
    for section in ("verse", "chorus"):
        heard = {}
        for name, score in scores.items():
            place = next(s for s in score.sections if s.name == section)
            heard[name] = rounded(score, role, place.start, min(place.length, 4 * score.beats_per_bar))
        same = [(a, b) for a, b in combinations(heard, 2) if heard[a] == heard[b]]
        assert not same, section


@pytest.mark.parametrize("name", STYLES)
def test_every_grid_is_whole_bars_of_marks_that_its_player_reads(name):
    style = STYLES[name]
    drums = [style.drums.verse, style.drums.chorus, *style.drums.fills]
    assert all(lane in LANES for groove in drums for lane in groove)
    assert set("".join(clean(grid) for groove in drums for grid in groove.values())) <= set("Xxort.")
    assert all(len(clean(grid)) == STEPS for groove in style.drums.fills for grid in groove.values())
    assert set(clean(style.bass.verse) + clean(style.bass.chorus)) <= set("RrO357AW-.")
    players: list[Comping] = [style.chords, *([style.arpeggio] if style.arpeggio else [])]
    assert set("".join(clean(p.verse) + clean(p.chorus) for p in players)) <= set("Xxdu12345678-.")


@pytest.mark.parametrize("name", STYLES)
def test_every_chord_symbol_reads_in_all_keys_and_every_style_has_somewhere_to_go(name):
    progressions = STYLES[name].progressions
    symbols = " ".join([*all_progressions(STYLES[name]), progressions.cadence]).replace("|", " ").split()
    for mode in MODES:
        for tonic in range(12):
            assert all(parse_chord(symbol, Key(tonic, mode), progressions.tones).pitch_classes for symbol in symbols)
    assert len(progressions.verse) >= 2
    assert len(progressions.chorus) >= 2
