"""Do the styles differ where an ear would notice: in the drum pattern, in the bass figure, in the chords?"""

from collections.abc import Callable, Hashable
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


def clashes(pattern_of: Callable[[Style], Hashable]) -> list[tuple[str, str]]:
    """The names of every two styles that have the same pattern, other than none."""
    patterns = {name: pattern for name, style in STYLES.items() if (pattern := pattern_of(style))}
    return [(a, b) for a, b in combinations(patterns, 2) if patterns[a] == patterns[b]]


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
    return tuple(found * max(1, 16 // len(found)))


def all_progressions(style: Style) -> tuple[str, ...]:
    return style.progressions.verse + style.progressions.chorus + style.progressions.bridge


def composed(style: str, meter: str) -> Score:
    """A song of every style in the same key and tempo."""
    request = GenerationRequest(style, "", 30, (1,), bpm=120, key_scale="A minor", time_signature=meter)
    return compose(request, 7).score


def rounded(score: Score) -> dict[str, frozenset[tuple[float, int]]]:
    """The parts' first eight bars as the sheet music would show them: starts to the nearest sixteenth, and pitches."""
    return {
        part.role: frozenset((round(n.start * 4) / 4, n.pitch) for n in part.notes if n.start < 8 * score.beats_per_bar)
        for part in score.parts
        if part.role in ("drums", "bass", "chords")
    }


def drumming(style: Style, meter: str) -> Hashable:
    """What a style's drummer plays in verse and chorus; None without drums."""
    drums = style.drums
    return drums and (struck(drums.verse, meter), struck(drums.chorus, meter))


def test_there_are_at_least_forty_styles_and_each_is_listed_under_its_own_name():
    assert len(STYLES) >= 40
    assert all(name == style.name for name, style in STYLES.items())


@pytest.mark.parametrize("meter", METERS)
def test_no_two_styles_share_their_drums(meter):
    assert not clashes(lambda style: drumming(style, meter))


@pytest.mark.parametrize("meter", METERS)
def test_no_two_styles_share_their_bass_figures(meter):
    assert not clashes(lambda style: (figure(style.bass.verse, meter), figure(style.bass.chorus, meter)))


@pytest.mark.parametrize("mode", MODES)
def test_no_two_styles_share_their_chord_progressions(mode):
    assert not clashes(
        lambda style: frozenset(roots(text, mode, style.progressions.tones) for text in all_progressions(style))
    )


def test_no_two_styles_share_their_way_of_playing_chords():
    assert not clashes(lambda style: (clean(style.chords.verse), clean(style.chords.chorus)))


@pytest.mark.parametrize("meter", METERS)
def test_the_composed_notes_of_two_styles_differ_in_every_part(meter):
    heard = {name: rounded(composed(name, meter)) for name in STYLES}
    same = [
        (a, b, role)
        for a, b in combinations(heard, 2)
        for role in heard[a].keys() & heard[b].keys()
        if heard[a][role] == heard[b][role]
    ]
    assert not same


@pytest.mark.parametrize("name", STYLES)
def test_every_grid_is_whole_bars_of_marks_that_its_player_reads(name):
    style = STYLES[name]
    fills = style.drums.fills if style.drums else ()
    drums = [style.drums.verse, style.drums.chorus, *fills] if style.drums else []
    assert all(lane in LANES for groove in drums for lane in groove)
    assert set("".join(clean(grid) for groove in drums for grid in groove.values())) <= set("Xxort.")
    assert all(len(clean(grid)) == STEPS for groove in fills for grid in groove.values())
    assert set(clean(style.bass.verse) + clean(style.bass.chorus)) <= set("RrO357AW-.")
    players: list[Comping] = [style.chords, *([style.arpeggio] if style.arpeggio else [])]
    assert set("".join(clean(p.verse) + clean(p.chorus) for p in players)) <= set("Xxdu12345678-.")


@pytest.mark.parametrize("name", STYLES)
def test_every_chord_symbol_reads_in_all_keys_and_every_style_has_somewhere_to_go(name):
    progressions = STYLES[name].progressions
    symbols = (
        " ".join([*all_progressions(STYLES[name]), progressions.short, progressions.cadence]).replace("|", " ").split()
    )
    for mode in MODES:
        for tonic in range(12):
            assert all(parse_chord(symbol, Key(tonic, mode), progressions.tones).pitch_classes for symbol in symbols)
    assert len(progressions.verse) >= 2
    assert len(progressions.chorus) >= 2
