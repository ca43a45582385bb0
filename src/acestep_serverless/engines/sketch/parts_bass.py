"""What does the bassist play? The style's figure, spelled over each chord, leading into the next one."""

from random import Random

from acestep_serverless.engines.sketch.form import Stretch
from acestep_serverless.engines.sketch.grids import Event, bar_events
from acestep_serverless.engines.sketch.groove import perform
from acestep_serverless.engines.sketch.harmony import Span
from acestep_serverless.engines.sketch.parts_drums import fills_here
from acestep_serverless.engines.sketch.score import Note, Part
from acestep_serverless.engines.sketch.sheet import Sheet, loudness, section_grid
from acestep_serverless.engines.sketch.theory import Chord, Key, scale_over

ENTERS = 0.3
# From this energy on the bass runs under the drummer's fills.
RUNS = 0.45
HIGHEST_ABOVE_LOW = 24


def root_pitch(chord: Chord, low: int) -> int:
    """The chord's root within the octave above the lowest pitch."""
    return low + (chord.root - low) % 12


def approach(target: int, key: Key, rng: Random) -> int:
    """A note that leads to the target: the scale step below it, the semitone below, or the scale step above."""
    below = next(p for p in range(target - 1, target - 4, -1) if p % 12 in key.pitch_classes)
    above = next(p for p in range(target + 1, target + 4) if p % 12 in key.pitch_classes)
    return rng.choice((below, target - 1, above))


def walking(previous: int | None, span: Span, key: Key, low: int, rng: Random) -> int:
    """A walking tone: near the one before, on the chord or on the scale over it, never the same twice."""
    here = previous if previous is not None else root_pitch(span.chord, low)
    scale = scale_over(key, span.chord)
    options = [p for p in range(here - 4, here + 6) if p % 12 in scale and p != here and low - 2 <= p <= low + 19]
    if not options:  # the line comes down from an octave above the range
        return root_pitch(span.chord, low)
    weights = [(2.5 if p % 12 in span.chord.pitch_classes else 1.0) / (1 + 0.2 * abs(p - here)) for p in options]
    return rng.choices(options, weights)[0]


def bass_pitch(event: Event, span: Span, following: Span, low: int, previous: int | None, key: Key, rng: Random) -> int:
    """Spell one mark of the figure over its chord."""
    root = root_pitch(span.chord, low)
    heights = {"R": 0, "r": 0, "O": 12, "5": span.chord.fifth, "3": span.chord.third, "7": 10}
    if event.mark == "7":
        return root + (11 if 11 in span.chord.intervals else 10)
    if event.mark in heights:
        return root + heights[event.mark]
    if event.mark == "A":
        return approach(root_pitch(following.chord, low), key, rng)
    return walking(previous, span, key, low, rng)


def bass_bar(sheet: Sheet, events: tuple[Event, ...], beat: float, energy: float, rng: Random) -> list[Note]:
    """One bar of the figure. A walking line states the root wherever a chord begins."""
    low, key = sheet.brief.style.bass.low, sheet.brief.key
    notes: list[Note] = []
    for event in events:
        place = sheet.span_index(beat + event.start)
        span, following = sheet.spans[place], sheet.spans[min(place + 1, len(sheet.spans) - 1)]
        if event.mark == "W" and abs(span.start - beat - event.start) < 1e-6:
            pitch = root_pitch(span.chord, low)
        else:
            previous = notes[-1].pitch if notes else None
            pitch = bass_pitch(event, span, following, low, previous, key, rng)
        base = 70 if event.mark == "r" else 104 if event.start == 0 else 96
        pitch = max(low - 4, min(low + HIGHEST_ABOVE_LOW, pitch))
        notes.append(Note(beat + event.start, event.length * 0.95, pitch, loudness(base, energy)))
    return notes


def answered(sheet: Sheet, stretch: Stretch, index: int, events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The figure of a bar as the drums ask for it: a run under a fill, silence at the top of a build."""
    step = sheet.build_step(stretch, index)
    if step is not None:
        return () if step[0] == step[1] - 1 else events
    if sheet.brief.drums is None or stretch.energy < RUNS or not fills_here(stretch, index):
        return events
    last = sheet.plan.beats_per_bar - 1
    kept = tuple(Event(e.start, min(e.length, last - e.start), e.mark) for e in events if e.start < last)
    return (*kept, Event(last, 0.5, "W"), Event(last + 0.5, 0.5, "A"))


def held_roots(sheet: Sheet, beat: float) -> tuple[Event, ...]:
    """The root of each chord of a bar, held for as long as the chord lasts."""
    bar = sheet.plan.beats_per_bar
    changes = [span.start - beat for span in sheet.spans[sheet.span_index(beat) + 1 :][:4] if span.start - beat < bar]
    starts = [0.0, *changes]
    return tuple(Event(start, stop - start, "R") for start, stop in zip(starts, [*changes, bar], strict=True))


def bass_part(sheet: Sheet) -> Part:
    """The whole bass part, with the tonic under the final chord."""
    bass = sheet.brief.style.bass
    rng = sheet.brief.chance.of("bass")
    notes: list[Note] = []
    for stretch, index, beat in sheet.bars():
        if stretch.energy < ENTERS and stretch.name == "intro":
            continue
        grid = section_grid(stretch, bass.verse, bass.chorus)
        figure = held_roots(sheet, beat) if sheet.steps_back(stretch) else bar_events(grid, sheet.brief.meter, index)
        events = answered(sheet, stretch, index, figure)
        notes += bass_bar(sheet, events, beat, stretch.energy, rng)
    notes = sheet.before_final(notes)
    final = sheet.spans[-1]
    notes.append(Note(final.start, final.length, root_pitch(final.chord, bass.low), 100))
    sound = bass.sound
    played = perform(sheet, notes, sheet.brief.chance.of("humanise", "bass"), tightness=1.5)
    return Part("Bass", "bass", sound.program, played, sound.gain, sound.pan, sound.reverb, sound.chorus)
