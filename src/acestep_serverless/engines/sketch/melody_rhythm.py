"""When do the melody's notes fall? Phrases from the form or the lyric lines, and a rhythm of so many notes for each.

A rhythm ranks the places of a bar by metrical weight and chance; a phrase of n notes takes the n best. Bars share one
ranking, so that a phrase's second bar echoes its first, and phrases of one letter share one rhythm.
"""

from dataclasses import dataclass
from random import Random

from acestep_serverless.engines.sketch.form import Stretch, natural_bars
from acestep_serverless.engines.sketch.sheet import Sheet
from acestep_serverless.engines.sketch.styles.model import USUAL_ROUND

# Letters of the phrases in a period: "a" returns, the last phrase closes.
PERIODS = ("abac", "aaba", "abab", "aabc")
RIFF_PERIODS = ("aaab", "aaba", "abab")
# Twelve bars: a line and its answer, both again, another line and its answer.
ROUND_PERIOD = "ababcd"
# Bars of a line in such a round, and how full of notes the soloist's answer between two lines is.
CALL_BARS, ANSWER_DENSITY = 2, 0.7
# Three lines in a round are one line, the same again, and another.
CALLS = {3: "aab"}
# How much fuller or sparser than the style's own density a section's tune is.
DENSITY = {
    "verse": 1.0,
    "prechorus": 0.9,
    "chorus": 1.05,
    "bridge": 0.75,
    "instrumental": 1.2,
    "outro": 0.6,
    "intro": 0.6,
}
STEPS = (0.5, 0.25, 0.125)
# How full of notes a phrase may be before it moves to shorter ones.
FULLEST = 0.9
# Chance that a motif begins before the bar.
PICKUP = 0.4
# What a beat of distance from its neighbours adds to a place's claim, up to two beats.
FAR = 0.2


@dataclass(frozen=True, slots=True)
class Phrase:
    """One breath of melody: `start` and `length` in beats, how many notes, its motif's letter, and how it closes.

    `text` is the line of lyrics that it carries, "" where an instrument plays it.
    """

    section: str
    letter: str
    start: float
    length: float
    notes: int
    answer: bool
    turn: int
    text: str = ""


def metric_weight(beat: float, meter: str) -> float:
    """How strong a place of the bar is, 0.0 to 1.0; `beat` counts from the bar's start."""
    if beat == 0:
        return 1.0
    if meter == "6":
        return 0.85 if beat == 1.5 else 0.5 if beat % 0.5 == 0 else 0.1
    if beat % 1 == 0:
        return 0.8 if meter == "4" and beat == 2 else 0.65
    return 0.4 if beat % 0.5 == 0 else 0.15 if beat % 0.25 == 0 else 0.05


def rank(place: float, meter: str, syncopation: float, rng: Random) -> float:
    """A place's claim to a note: its weight, less so the more syncopated the style, and chance."""
    weight = metric_weight(place, meter)
    if weight < 0.6:
        weight += 0.45 * syncopation
    return weight + rng.gauss(0, 0.16 + 0.2 * syncopation)


def landing(inner: int, length: float, bar: float, syncopation: float, rng: Random) -> float:
    """Where a phrase's last note falls, after `inner` others: on a beat of its second half with a beat to hold it.

    The more notes come before it, the later it falls; at times it is pushed an eighth early.
    """
    beats = [float(beat) for beat in range(int(length)) if length * 0.5 <= beat <= length - 1]
    roomy = [beat for beat in beats if inner <= beat / STEPS[0] * FULLEST] or beats[-1:]
    if not roomy:
        return 0.0
    target = 0.8 * inner
    claims = [(1.5 if beat % bar in (0.0, bar / 2) else 1.0) / (0.5 + abs(beat - target)) for beat in roomy]
    place = rng.choices(roomy, claims)[0]
    pushed = place - 0.5
    return pushed if pushed >= length / 2 and rng.random() < 0.4 * syncopation else place


def spread(claims: dict[float, float], count: int) -> list[float]:
    """The places with the highest claims, taken one by one; a place far from those taken gains on the others."""
    taken: list[float] = []
    left = dict(claims)
    while left and len(taken) < count:
        best = max(left, key=lambda p: left[p] + FAR * min((2.0, *(abs(p - other) for other in taken))))
        taken.append(best)
        del left[best]
    return taken


def onsets(
    count: int, length: float, bar: float, meter: str, syncopation: float, pickup: bool, rng: Random
) -> tuple[float, ...]:
    """`count` places in a phrase of `length` beats, earliest first; one or two may lie before its downbeat as a pickup.

    Where the phrase has no room for so many at thirty-second notes, it takes as many as fit.
    """
    early = min(rng.choice((1, 2)), max(0, count - 4)) if pickup and rng.random() < PICKUP else 0
    inner = count - 1 - early
    last = landing(inner, length, bar, syncopation, rng)
    if inner > last / STEPS[1] * FULLEST:
        last = length - STEPS[0]
    step = next((s for s in STEPS if inner <= last / s * FULLEST), STEPS[-1])
    places = [index * step for index in range(int(last / step + 1e-6))]
    shared: dict[float, float] = {}
    for place in places:
        shared.setdefault(place % bar, rank(place % bar, meter, syncopation, rng))
    opening = 0.6 if rng.random() > 0.4 * syncopation else -0.3
    claims = {place: shared[place % bar] + rng.gauss(0, 0.08) + (opening if place == 0 else 0.0) for place in places}
    return tuple(sorted([*(-0.5 * (index + 1) for index in range(early)), *spread(claims, inner), last]))


def sung_phrases(sheet: Sheet, stretch: Stretch) -> list[Phrase]:
    """One phrase per lyric line, spread evenly over the section's bars (or its beats, if lines outnumber bars).

    In a style whose rounds are not of eight bars, lines begin every other bar and leave room for answers.
    """
    bar, lines = sheet.plan.beats_per_bar, stretch.lines
    calls = has_rounds(sheet) and stretch.bars >= CALL_BARS * len(lines)
    grain = CALL_BARS * bar if calls else bar if stretch.bars >= len(lines) else 0.5
    beats = stretch.bars * bar
    marks = [round(index * beats / len(lines) / grain) * grain for index in range(len(lines))] + [beats]
    letters = CALLS.get(len(lines), PERIODS[0]) if calls else PERIODS[0]
    phrases = []
    for index, line in enumerate(lines):
        longest = max(CALL_BARS, natural_bars([line], bar * 60 / sheet.plan.tempo)) if calls else 4
        length = min(marks[index + 1] - marks[index], longest * bar)
        letter = letters[index % len(letters)]
        if length > 0:
            start = stretch.first * bar + marks[index]
            answer = index % 4 == 3 or index == len(lines) - 1
            phrases.append(Phrase(stretch.name, letter, start, length, line.count, answer, stretch.turn, line.text))
    return with_answers(sheet, stretch, phrases) if calls else phrases


def has_rounds(sheet: Sheet) -> bool:
    """Whether the style's sections are rounds of their own length, such as twelve bars."""
    return sheet.brief.style.progressions.round > USUAL_ROUND


def with_answers(sheet: Sheet, stretch: Stretch, calls: list[Phrase]) -> list[Phrase]:
    """The sung lines of a round with what the soloist answers where the next one is two bars away or more."""
    bar = sheet.plan.beats_per_bar
    count = max(1, round(sheet.brief.style.melody.notes * ANSWER_DENSITY * CALL_BARS * bar / 4))
    ends = [*(after.start for after in calls[1:]), (stretch.first + stretch.bars) * bar]
    phrases = []
    for call, end in zip(calls, ends, strict=True):
        phrases.append(call)
        start = call.start + call.length
        if end - start >= CALL_BARS * bar:
            phrases.append(Phrase(stretch.name, "answer", start, CALL_BARS * bar, count, True, stretch.turn))
    return phrases


def played_phrases(sheet: Sheet, stretch: Stretch) -> list[Phrase]:
    """Question and answer phrases of two bars (one in riffs), in the section's own period; none in most intros."""
    melody, bar = sheet.brief.style.melody, sheet.plan.beats_per_bar
    rng = sheet.brief.chance.of("period", stretch.name)
    if stretch.name == "intro" and (stretch.bars < 4 or rng.random() < 0.6):
        return []
    bars = 1 if melody.riff or stretch.bars < 2 else 2
    period = rng.choice(RIFF_PERIODS if melody.riff else PERIODS)
    if has_rounds(sheet) and stretch.bars % len(ROUND_PERIOD) == 0:
        period = ROUND_PERIOD
    count = max(1, round(melody.notes * bars * bar / 4 * DENSITY[stretch.name]))
    phrases = []
    for index in range(-(-stretch.bars // bars)):
        start = stretch.first + index * bars
        length = min(bars, stretch.first + stretch.bars - start) * bar
        notes = max(1, count // 2) if length < bars * bar else count
        place = index % len(period)
        closes = place == len(period) - 1 or start + bars >= stretch.first + stretch.bars
        phrases.append(Phrase(stretch.name, period[place], start * bar, length, notes, closes, stretch.turn))
    return phrases


def phrases_of(sheet: Sheet) -> list[Phrase]:
    """Every phrase of the song, in order. In a sung song an untexted intro stays without tune."""
    phrases: list[Phrase] = []
    for stretch in sheet.plan.stretches:
        if stretch.lines:
            phrases += sung_phrases(sheet, stretch)
        elif not (sheet.brief.worded and stretch.name == "intro"):
            phrases += played_phrases(sheet, stretch)
    return phrases
