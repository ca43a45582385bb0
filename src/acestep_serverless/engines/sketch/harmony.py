"""Which chord sounds when, and with which notes? Progressions over the form, voiced so that each note moves little."""

from dataclasses import dataclass
from functools import lru_cache

from acestep_serverless.engines.sketch.brief import Brief
from acestep_serverless.engines.sketch.form import Plan, Stretch
from acestep_serverless.engines.sketch.rounds import TURNAROUND, laid
from acestep_serverless.engines.sketch.theory import Chord, parse_chord

# Which list of the style's progressions each section reads.
SOURCES = {
    "intro": "verse",
    "verse": "verse",
    "prechorus": "bridge",
    "chorus": "chorus",
    "bridge": "bridge",
    "instrumental": "chorus",
    "outro": "chorus",
}


MINOR_THIRD = 3


@dataclass(frozen=True, slots=True)
class Span:
    """A chord and where it sounds, in beats; `bar` counts from the song's start."""

    start: float
    length: float
    chord: Chord
    bar: int

    @property
    def stop(self) -> float:
        """The beat where the chord ends."""
        return self.start + self.length


def split_bar(symbols: list[str], beats: float) -> list[tuple[float, float, str]]:
    """Share a bar among its chords: (start, length, symbol); 3/4 gives the first of two chords two beats."""
    if len(symbols) == 1:
        return [(0.0, beats, symbols[0])]
    first = {2.0: 1.0, 3.0: 2.0, 4.0: 2.0}[beats]
    return [(0.0, first, symbols[0]), (first, beats - first, symbols[-1])]


def progression_for(brief: Brief, stretch: Stretch) -> list[list[str]]:
    """A section's bars of chord symbols: sections of one name repeat the same progression."""
    source, progressions = SOURCES[stretch.name], brief.style.progressions
    choices: tuple[str, ...] = getattr(progressions, source)
    picked = brief.chance.of("progression", source).choice(choices)
    if progressions.short and TURNAROUND < stretch.bars < progressions.round:
        picked = progressions.short
    return laid([bar.split() for bar in picked.split("|")], stretch.bars, stretch.name)


def make_spans(brief: Brief, plan: Plan) -> tuple[Span, ...]:
    """Every chord of the song in order, from beat 0 to `plan.end`; the last one is the tonic at `plan.final`."""
    tones = brief.style.progressions.tones
    spans: list[Span] = []
    last_bar = sum(stretch.bars for stretch in plan.stretches) - 1
    for stretch in plan.stretches:
        bars = progression_for(brief, stretch)
        for index in range(stretch.bars):
            number = stretch.first + index
            symbols = bars[index]
            if number == last_bar and plan.final > 0:
                symbols = brief.style.progressions.cadence.split()
            for start, length, symbol in split_bar(symbols, plan.beats_per_bar):
                begin = number * plan.beats_per_bar + start
                length = min(length, plan.final - begin)
                if length > 0:
                    spans.append(Span(begin, length, parse_chord(symbol, brief.key, tones), number))
    tonic = parse_chord("1", brief.key, tones)
    spans.append(Span(plan.final, plan.end - plan.final, tonic, last_bar + 1))
    return tuple(spans)


@lru_cache(maxsize=4096)
def voicings(chord: Chord, voices: int, centre: int, rootless: bool) -> tuple[tuple[int, ...], ...]:
    """Every close and drop-two voicing of a chord near a centre pitch, lowest note first."""
    classes = sorted(chord.pitch_classes)
    if rootless and len(classes) > 3:
        classes.remove(chord.root)
    if len(classes) > voices:
        fifth = (chord.root + chord.fifth) % 12
        classes = [pitch_class for pitch_class in classes if pitch_class != fifth][:voices]
    found = []
    for lowest in range(centre - 14, centre + 5):
        if lowest % 12 not in classes:
            continue
        stack = [lowest]
        while len(stack) < voices:
            stack.append(next(p for p in range(stack[-1] + 1, stack[-1] + 13) if p % 12 in classes))
        found.append(tuple(stack))
        if voices >= 4:
            found.append(tuple(sorted((*stack[:-2], stack[-2] - 12, stack[-1]))))
    return tuple(voicing for voicing in found if voicing[0] > centre - 20)


def movement(before: tuple[int, ...], after: tuple[int, ...]) -> float:
    """How far the voices travel, in semitones, with a little more for parallel leaps of the top voice."""
    return sum(abs(a - b) for a, b in zip(before, after, strict=True)) + 0.5 * abs(before[-1] - after[-1])


def voice(chords: list[Chord], voices: int, centre: int, rootless: bool) -> list[tuple[int, ...]]:
    """One voicing per chord, each the nearest to the one before that stays near the centre."""
    chosen: list[tuple[int, ...]] = []
    for chord in chords:
        options = voicings(chord, voices, centre, rootless)

        def cost(option: tuple[int, ...]) -> float:
            drift = abs(sum(option) / len(option) - centre)
            return 0.6 * drift + (movement(chosen[-1], option) if chosen else 0.0)

        chosen.append(min(options, key=cost))
    return chosen


def power_chord(chord: Chord, centre: int) -> tuple[int, ...]:
    """Root, fifth and octave with the root within an octave around the centre; over a minor chord root, fifth, tenth.

    The root's fifth overtone, which distortion makes loud, is a major third: a minor one is heard only if it is played.
    """
    root = centre - 6 + (chord.root - (centre - 6)) % 12
    return (root, root + chord.fifth, root + 12 + (chord.third if chord.third == MINOR_THIRD else 0))
