"""What does the singer sing? The melody of the sung lines on their real syllables, with breaths, and harmony above.

The melody is written for the voice (its range, one note a syllable); here its notes meet their syllables.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from acestep_serverless.engines.sketch.groove import perform
from acestep_serverless.engines.sketch.melody_rhythm import Phrase
from acestep_serverless.engines.sketch.score import Note
from acestep_serverless.engines.sketch.sheet import Sheet
from acestep_serverless.engines.sketch.theory import scale_over
from acestep_serverless.engines.sketch.voice.song import RANGES, SungLine, SungNote, Vocals
from acestep_serverless.engines.sketch.voice.syllables import Syllable, read_line

# A note this long, in beats, may carry its vowel over to a neighbour, with this chance.
MELISMA_BEATS, MELISMA = 1.4, 0.3
# Seconds of breath before the next line, and how much shorter than the way to the next note a note is sung.
BREATH_SECONDS = 0.3
# Where the next line follows at once, breath takes this share of the last note.
SHORT_BREATH = 0.3
# A singer keeps closer to the beat than a soloist.
TIGHTNESS = 1.5
HARMONY_SECTIONS = frozenset({"chorus"})


@dataclass(frozen=True, slots=True)
class SungPhrase:
    """One line of the lyrics with the straight notes of its tune, a note for each syllable."""

    phrase: Phrase
    notes: tuple[Note, ...]


def syllables_for(sheet: Sheet, phrase: Phrase, count: int) -> tuple[Syllable, ...]:
    """The line's syllables, as many as there are notes: too many for the time share the last note's place."""
    singing = sheet.brief.singing
    assert singing is not None
    return read_line(phrase.text, singing.language)[:count]


def with_melismas(sheet: Sheet, sung: SungPhrase) -> list[tuple[Note, bool]]:
    """The phrase's notes and whether each goes on with the vowel before: some long ones move on to a neighbour."""
    rng = sheet.brief.chance.of("melisma", sung.phrase.section, sung.phrase.start)
    low, high = RANGES[sheet.brief.singing.kind] if sheet.brief.singing else (0, 127)
    found: list[tuple[Note, bool]] = []
    for note in sung.notes:
        if note.length < MELISMA_BEATS or rng.random() >= MELISMA:
            found.append((note, False))
            continue
        scale = scale_over(sheet.brief.key, sheet.span_at(note.start).chord)
        beside = [
            p for p in (*range(note.pitch - 3, note.pitch), *range(note.pitch + 1, note.pitch + 4)) if p % 12 in scale
        ]
        pitch = min((p for p in beside if low <= p <= high), key=lambda p: abs(p - note.pitch), default=note.pitch)
        turn = 0.5 if note.length < 2 else 1.0
        found.append((replace(note, length=note.length - turn), False))
        found.append((Note(note.start + note.length - turn, turn, pitch, max(1, note.velocity - 8)), True))
    return found


def sung_line(sheet: Sheet, sung: SungPhrase, until: float) -> SungLine:
    """The phrase as it is sung: humanised, each note up to the next, with a breath before beat `until`."""
    written = with_melismas(sheet, sung)
    rng = sheet.brief.chance.of("humanise", "voice", sung.phrase.start)
    played = perform(sheet, [note for note, _ in written], rng, tightness=TIGHTNESS)
    syllables = iter(syllables_for(sheet, sung.phrase, len(sung.notes)))
    breath = BREATH_SECONDS * sheet.plan.tempo / 60
    left = until - played[-1].start
    ends = [*(note.start for note in played[1:]), until - min(breath, SHORT_BREATH * left)]
    notes = [
        SungNote(
            note.start,
            min(note.length if last else end - note.start, end - note.start),
            note.pitch,
            note.velocity,
            None if goes_on else next(syllables, None),
        )
        for note, (_, goes_on), end, last in zip(played, written, ends, [False] * (len(ends) - 1) + [True], strict=True)
        if end > note.start
    ]
    return SungLine(sung.phrase.text, tuple(notes))


def harmony_pitch(sheet: Sheet, note: SungNote) -> int:
    """A third above or below in the scale over the chord, on the chord where one of both is."""
    chord = sheet.span_at(note.start).chord
    scale = scale_over(sheet.brief.key, chord)
    above = [p for p in range(note.pitch + 1, note.pitch + 8) if p % 12 in scale][1]
    fourth = next((p for p in range(note.pitch + 3, note.pitch + 6) if p % 12 in chord.pitch_classes), above)
    return fourth if above % 12 not in chord.pitch_classes else above


def harmony(sheet: Sheet, lines: list[tuple[str, SungLine]]) -> tuple[SungNote, ...]:
    """The second voice of the choruses, with the lead's starts and words."""
    return tuple(
        replace(note, pitch=harmony_pitch(sheet, note), velocity=max(1, note.velocity - 16))
        for section, line in lines
        if section in HARMONY_SECTIONS
        for note in line.notes
    )


def vocals(sheet: Sheet, phrases: list[SungPhrase]) -> Vocals | None:
    """All that is sung; None where nobody sings."""
    singing = sheet.brief.singing
    phrases = [sung for sung in phrases if sung.notes]
    if singing is None or not phrases:
        return None
    ends = [after.notes[0].start for _, after in pairwise(phrases)] + [sheet.plan.final]
    lines = [
        (sung.phrase.section, sung_line(sheet, sung, max(end, sung.notes[-1].start + 0.1)))
        for sung, end in zip(phrases, ends, strict=True)
    ]
    second = harmony(sheet, lines)
    return Vocals(
        lines=tuple(line for _, line in lines),
        language=singing.language,
        kind=singing.kind,
        humming=singing.humming,
        harmonies=(second,) if second else (),
    )
