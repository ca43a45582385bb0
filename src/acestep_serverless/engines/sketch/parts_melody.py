"""What does the soloist play, and who answers? Motifs that return over new chords, ornaments, and a second voice."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from random import Random

from acestep_serverless.engines.sketch.groove import perform
from acestep_serverless.engines.sketch.melody_pitch import (
    ANSWER_SHAPES,
    CONTOURS,
    QUESTION_SHAPES,
    STRONG,
    Slot,
    around,
    cheapest_path,
)
from acestep_serverless.engines.sketch.melody_rhythm import Phrase, metric_weight, onsets, phrases_of
from acestep_serverless.engines.sketch.parts_voice import SungPhrase
from acestep_serverless.engines.sketch.score import Note, Part
from acestep_serverless.engines.sketch.sheet import Sheet, loudness
from acestep_serverless.engines.sketch.styles.model import Counter
from acestep_serverless.engines.sketch.theory import scale_over
from acestep_serverless.engines.sketch.voice.song import RANGES
from acestep_serverless.engines.sketch.voice.syllables import read_line

# Semitones above the verse's centre at which each section's tune lies.
REGISTER = {"intro": 0, "verse": 0, "prechorus": 2, "chorus": 5, "bridge": 2, "instrumental": 5, "outro": 2}
LONGEST = 4.0
FREE_PULL, MOTIF_PULL = 0.16, 0.5
VELOCITY = 96
# How many rhythms a line of words chooses from, and what no, secondary and primary stress want of a place.
OFFERS = 8
STRESSES = (-0.6, 0.4, 1.0)
# Chance that a return of a section splits a long note with its neighbour.
ORNAMENT = 0.25


@dataclass(slots=True)
class Memory:
    """The motifs sung so far, by section and letter: their places in the phrase and their heights above the centre."""

    rhythms: dict[tuple[str, str, int, float], tuple[float, ...]] = field(default_factory=dict)
    shapes: dict[tuple[str, str], tuple[float, ...]] = field(default_factory=dict)


def rhythm_of(sheet: Sheet, phrase: Phrase, memory: Memory) -> tuple[float, ...]:
    """The phrase's places: those of its motif where it has been heard with as many notes, else new ones.

    Of the rhythms that chance offers, words take the one that puts their stressed syllables on strong places.
    """
    name = (phrase.section, phrase.letter, phrase.notes, phrase.length)
    if name not in memory.rhythms:
        rng = sheet.brief.chance.of("rhythm", phrase.section, phrase.letter)
        stresses = stresses_of(sheet, phrase)
        offers = [offered(sheet, phrase, rng) for _ in range(OFFERS if stresses else 1)]
        bar, meter = sheet.plan.beats_per_bar, sheet.brief.meter
        memory.rhythms[name] = max(
            offers,
            key=lambda places: sum(
                stress * metric_weight(place % bar, meter) for stress, place in zip(stresses, places, strict=False)
            ),
        )
    places = memory.rhythms[name]
    return tuple(place for place in places if phrase.start + place >= 0)


def offered(sheet: Sheet, phrase: Phrase, rng: Random) -> tuple[float, ...]:
    """One rhythm for a phrase; a line that is sung leaves a beat at its end for breath, where it has the room."""
    breath = 0.0
    if phrase.text and sheet.brief.singing:
        breath = 1.0 if phrase.length >= 4 else 0.5 if phrase.length >= 2 else 0.0
    syncopation = sheet.brief.style.melody.syncopation
    bar, meter = sheet.plan.beats_per_bar, sheet.brief.meter
    return onsets(phrase.notes, phrase.length - breath, bar, meter, syncopation, phrase.start > 0, rng)


def stresses_of(sheet: Sheet, phrase: Phrase) -> tuple[float, ...]:
    """How much each syllable of a sung line wants a strong place; () where nobody sings."""
    singing = sheet.brief.singing
    if singing is None or not phrase.text:
        return ()
    return tuple(STRESSES[syllable.stress] for syllable in read_line(phrase.text, singing.language))


def heights_of(sheet: Sheet, phrase: Phrase, places: tuple[float, ...], memory: Memory) -> tuple[list[float], float]:
    """The contour that a phrase follows, above its centre, and how strictly: its motif's own heights or a new shape."""
    shape = memory.shapes.get((phrase.section, phrase.letter))
    if shape is not None:
        last = max(1, len(places) - 1)
        return [shape[round(i * (len(shape) - 1) / last)] for i in range(len(places))], MOTIF_PULL
    rng = sheet.brief.chance.of("shape", phrase.section, phrase.letter)
    contour = CONTOURS[rng.choice(ANSWER_SHAPES if phrase.answer else QUESTION_SHAPES)]
    size = rng.uniform(5.0, 8.0)
    heights = [size * contour(max(0.0, place / phrase.length)) for place in places]
    # Shapes are centred, so that a section's register, not its shapes, decides how high it lies.
    middle = sum(heights) / len(heights)
    return [height - middle for height in heights], FREE_PULL


def lengths_of(places: tuple[float, ...], phrase: Phrase, legato: float) -> list[float]:
    """Each note sounds most of the way to the next; the last one leaves a breath before the phrase ends."""
    gaps = [after - before for before, after in pairwise(places)]
    breath = 0.5 if phrase.length - places[-1] > 1 else 0.1 * (phrase.length - places[-1])
    return [min(gap, LONGEST) * legato for gap in gaps] + [min(phrase.length - places[-1] - breath, LONGEST)]


def accent(slot: Slot, height: int) -> float:
    """The velocity of a note before its section's energy: strong beats and high notes are sung louder."""
    return VELOCITY + (7 if slot.weight >= STRONG else 0) + max(-8, min(10, height))


def one_voice(notes: list[Note]) -> list[Note]:
    """The notes with each cut where the next begins (a pickup may reach into the phrase before)."""
    if not notes:
        return []
    cut = [replace(a, length=min(a.length, b.start - a.start)) for a, b in pairwise(notes) if b.start > a.start]
    return [*cut, notes[-1]]


def register(sheet: Sheet, phrase: Phrase) -> tuple[int, range]:
    """The pitch that a phrase lies about, and those it may take: the soloist's, or the singer's own range."""
    singing = sheet.brief.singing
    if singing is None or not phrase.text:
        centre = sheet.brief.style.melody.centre + REGISTER[phrase.section]
        return centre, around(centre)
    low, high = RANGES[singing.kind]
    centre = round(low + (high - low) * (0.38 + 0.05 * REGISTER[phrase.section]))
    return centre, around(centre, low, high)


def sing(sheet: Sheet, phrase: Phrase, memory: Memory, before: int | None) -> list[Note]:
    """One phrase in notes."""
    melody, bar = sheet.brief.style.melody, sheet.plan.beats_per_bar
    places = rhythm_of(sheet, phrase, memory)
    centre, pitches_around = register(sheet, phrase)
    heights, pull = heights_of(sheet, phrase, places, memory)
    lengths = lengths_of(places, phrase, melody.legato)
    slots = [
        Slot(
            sheet.span_at(phrase.start + place).chord,
            metric_weight((phrase.start + place) % bar, sheet.brief.meter),
            length,
            centre + height,
        )
        for place, length, height in zip(places, lengths, heights, strict=True)
    ]
    rng = sheet.brief.chance.of("pitch", phrase.section, phrase.letter, phrase.answer)
    pitches = cheapest_path(slots, sheet.brief.key, pitches_around, melody.pentatonic, phrase.answer, pull, before, rng)
    memory.shapes.setdefault((phrase.section, phrase.letter), tuple(float(p - centre) for p in pitches))
    energy = sheet.stretch_at(phrase.start).energy
    return [
        Note(phrase.start + place, length, pitch, loudness(accent(slot, pitch - centre), energy))
        for place, length, pitch, slot in zip(places, lengths, pitches, slots, strict=True)
    ]


def ornamented(sheet: Sheet, phrase: Phrase, notes: list[Note]) -> list[Note]:
    """A return varied: some notes of a beat or more split into themselves, their upper neighbour and back."""
    rng = sheet.brief.chance.of("ornament", phrase.start)
    varied: list[Note] = []
    for note in notes:
        scale = scale_over(sheet.brief.key, sheet.span_at(note.start).chord)
        if note is notes[-1] or note.length < 0.9 or rng.random() >= ORNAMENT:
            varied.append(note)
            continue
        neighbour = next(p for p in range(note.pitch + 1, note.pitch + 4) if p % 12 in scale)
        varied += [
            Note(note.start, 0.48, note.pitch, note.velocity),
            Note(note.start + 0.5, note.length - 0.5, neighbour, max(1, note.velocity - 10)),
        ]
    return varied


@dataclass(frozen=True, slots=True)
class Tune:
    """The straight melody: what the soloist plays, its final tonic included, and what the singer sings."""

    played: list[Note]
    sung: list[SungPhrase]

    @property
    def notes(self) -> list[Note]:
        """Every note of both, in order."""
        return sorted([*self.played, *(note for sung in self.sung for note in sung.notes)])


def make_tune(sheet: Sheet) -> Tune:
    """Every phrase up to the final chord, then the tonic nearest to where the tune arrived."""
    memory = Memory()
    played: list[Note] = []
    sung: list[SungPhrase] = []
    last: Note | None = None
    for phrase in phrases_of(sheet):
        if phrase.start >= sheet.plan.final:
            break
        notes = sing(sheet, phrase, memory, last.pitch if last else None)
        if phrase.text and sheet.brief.singing:
            sung.append(SungPhrase(phrase, tuple(sheet.before_final(notes))))
        else:
            played += ornamented(sheet, phrase, notes) if phrase.turn and not phrase.text else notes
        last = notes[-1] if notes else last
    arrived = last.pitch if last else sheet.brief.style.melody.centre
    if sheet.brief.singing:
        arrived = sheet.brief.style.melody.centre
    tonic = min(
        (p for p in range(arrived - 6, arrived + 7) if p % 12 == sheet.brief.key.tonic), key=lambda p: abs(p - arrived)
    )
    final = Note(sheet.plan.final, sheet.plan.end - sheet.plan.final, tonic, VELOCITY)
    return Tune([*one_voice(sheet.before_final(sorted(played))), final], sung)


def melody_notes(sheet: Sheet) -> list[Note]:
    """The straight melody, played and sung."""
    return make_tune(sheet).notes


def melody_part(sheet: Sheet, notes: list[Note]) -> Part:
    """The melody as played."""
    sound = sheet.brief.style.melody.sound
    played = perform(sheet, notes, sheet.brief.chance.of("humanise", "melody"))
    return Part("Melody", "melody", sound.program, played, sound.gain, sound.pan, sound.reverb, sound.chorus)


def nearest(pitch: int, options: list[int]) -> int:
    """The option closest to a pitch; the higher of two that are equally close."""
    return min(options, key=lambda option: (abs(option - pitch), -option))


def guide_tones(sheet: Sheet, counter: Counter) -> list[Note]:
    """A slow line of thirds and sevenths, one per chord, each the nearest to the last, entering a beat late."""
    notes: list[Note] = []
    here = counter.centre
    for span in sheet.spans[:-1]:
        stretch = sheet.stretch_at(span.start)
        if stretch.energy < counter.enters or span.length < 2:
            continue
        tones = {
            (span.chord.root + i) % 12 for i in span.chord.intervals if i not in (0, 7)
        } or span.chord.pitch_classes
        # Thirds and sevenths lead downwards; the window around the centre turns the line before it sinks away.
        here = nearest(here, [p for p in range(counter.centre - 7, counter.centre + 9) if p % 12 in tones])
        notes.append(Note(span.start + 1, span.length - 1.1, here, loudness(76, stretch.energy)))
    return notes


def third_below(sheet: Sheet, note: Note) -> int:
    """The pitch two scale steps below a melody note, in the scale over its chord."""
    scale = scale_over(sheet.brief.key, sheet.span_at(note.start).chord)
    steps = [p for p in range(note.pitch - 1, note.pitch - 8, -1) if p % 12 in scale]
    return steps[1]


def counter_part(sheet: Sheet, melody: list[Note], counter: Counter) -> Part:
    """The second voice: guide tones, and thirds below the melody in the last chorus."""
    peak = max(stretch.energy for stretch in sheet.plan.stretches)
    notes = [
        Note(n.start, n.length, third_below(sheet, n), loudness(70, 1.0))
        for n in melody
        if n.start < sheet.plan.final
        and sheet.stretch_at(n.start).name == "chorus"
        and sheet.stretch_at(n.start).energy >= max(peak, counter.enters)
    ]
    doubled = {sheet.stretch_at(note.start).first for note in notes}
    notes += [n for n in guide_tones(sheet, counter) if sheet.stretch_at(n.start).first not in doubled]
    sound = counter.sound
    played = perform(sheet, sheet.before_final(notes), sheet.brief.chance.of("humanise", "counter"))
    return Part("Counter", "counter", sound.program, played, sound.gain, sound.pan, sound.reverb, sound.chorus)
