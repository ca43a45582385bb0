"""Does a blues have its twelve bars, with a turnaround at each end, however long the song and whatever is sung?"""

import pytest

from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.brief import make_brief
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.melody_rhythm import Phrase, phrases_of
from acestep_serverless.engines.sketch.rounds import laid
from acestep_serverless.engines.sketch.sheet import Sheet, make_sheet

AAB = """[Verse]
Woke up this morning with the rain against my door
Woke up this morning with the rain against my door
My baby took the train and is not coming back no more
"""
TONIC, SUBDOMINANT, DOMINANT = 0, 5, 7
ROUND = 12


def sheet_of(duration: float, lyrics: str = "", **fields) -> Sheet:
    request = GenerationRequest("blues", lyrics, duration, (1,), vocal_language="en", key_scale="C major", **fields)
    return make_sheet(make_brief(request, 1))


def roots(sheet: Sheet) -> list[int]:
    """The root that each bar begins on, C as 0, the final chord's last."""
    found: dict[int, int] = {}
    for span in sheet.spans:
        found.setdefault(span.bar, span.chord.root)
    return list(found.values())


def chosen(sheet: Sheet, *names: str) -> list[tuple[int, int]]:
    """Where sections of these names begin, and how many bars they have."""
    return [(stretch.first, stretch.bars) for stretch in sheet.plan.stretches if stretch.name in names]


@pytest.mark.parametrize("duration", [60, 90, 180, 600])
def test_verses_and_choruses_are_twelve_bars_that_turn_back(duration: float) -> None:
    sheet = sheet_of(duration)
    heard = roots(sheet)
    rounds = chosen(sheet, "verse", "chorus", "instrumental")
    assert len(rounds) >= 2
    for first, bars in rounds:
        assert bars == ROUND
        bar = heard[first : first + ROUND]
        assert (bar[0], bar[4], bar[5], bar[6], bar[8]) == (TONIC, SUBDOMINANT, SUBDOMINANT, TONIC, DOMINANT)
        beat = (first + ROUND) * sheet.plan.beats_per_bar
        assert sheet.span_at(beat - 1).chord.root == DOMINANT


@pytest.mark.parametrize(("duration", "bpm"), [(9.5, 120), (20, 120), (37.3, 97), (41.7, 101), (61.9, 74), (88.8, 133)])
def test_a_length_that_cuts_the_rounds_still_has_an_ending(duration: float, bpm: int) -> None:
    sheet = sheet_of(duration, bpm=bpm)
    assert sheet.plan.total * 60 / sheet.plan.tempo == pytest.approx(duration)
    assert sum(stretch.bars for stretch in sheet.plan.stretches) * sheet.plan.beats_per_bar == sheet.plan.final
    before, final = sheet.spans[-2:]
    assert (before.chord.root, final.chord.root) == (DOMINANT, TONIC)


def sung(sheet: Sheet) -> list[Phrase]:
    return [phrase for phrase in phrases_of(sheet) if phrase.text]


def test_three_lines_begin_every_four_bars_and_the_soloist_answers_each() -> None:
    sheet = sheet_of(60, AAB)
    bar = sheet.plan.beats_per_bar
    ((first, bars),) = chosen(sheet, "verse")[:1]
    assert bars == ROUND
    phrases = [phrase for phrase in phrases_of(sheet) if first * bar <= phrase.start < (first + ROUND) * bar]
    assert [(phrase.start / bar - first, bool(phrase.text)) for phrase in phrases] == [
        (0, True),
        (2, False),
        (4, True),
        (6, False),
        (8, True),
        (10, False),
    ]
    lines = [phrase.letter for phrase in phrases if phrase.text]
    assert lines[0] == lines[1] != lines[2]


@pytest.mark.parametrize(("lines", "starts"), [(1, [0]), (2, [0, 6]), (4, [0, 4, 6, 8]), (6, [0, 2, 4, 6, 8, 10])])
def test_other_numbers_of_lines_begin_where_two_bars_do(lines: int, starts: list[int]) -> None:
    sheet = sheet_of(60, "[Verse]\n" + "Walking down the empty street tonight\n" * lines)
    first = chosen(sheet, "verse")[0][0]
    bar = sheet.plan.beats_per_bar
    assert [phrase.start / bar - first for phrase in sung(sheet)][:lines] == starts


def test_every_line_of_a_song_that_is_too_short_for_rounds_is_sung() -> None:
    """Four sections of four lines in a minute: none has twelve bars, all are heard, in the order of the lyrics."""
    text = "".join(f"[{name}]\n" + f"{name} the rain is at my door\n" * 4 for name in ("Verse", "Chorus") * 2)
    sheet = sheet_of(60, text)
    assert [phrase.text.split()[0] for phrase in sung(sheet)][:16] == (["Verse"] * 4 + ["Chorus"] * 4) * 2
    composition = compose(GenerationRequest("blues", text, 60, (1,), vocal_language="en"), 1)
    assert composition.score.seconds == 60
    assert composition.score.vocals is not None


def test_a_cut_progression_keeps_its_end_and_a_loop_its_beginning() -> None:
    eight, loop = [[str(bar)] for bar in range(8)], [[str(bar)] for bar in range(4)]

    def bars(progression: list[list[str]], count: int, section: str = "chorus") -> str:
        return "".join(symbol for (symbol,) in laid(progression, count, section))

    assert bars(eight, 8) == "01234567"
    assert bars(eight, 6) == "014567"
    assert (bars(eight, 4), bars(eight, 4, "verse")) == ("4567", "0123")
    assert (bars(eight, 2), bars(eight, 2, "intro")) == ("01", "67")
    assert bars(eight, 10) == "0123456767"
    assert (bars(loop, 6), bars(loop, 2, "intro")) == ("012301", "01")
