"""Who plays the chords, and how? Comping figures, arpeggios and held pads, all from the same voice-led chords."""

from acestep_serverless.engines.sketch.grids import Event, bar_events
from acestep_serverless.engines.sketch.groove import perform
from acestep_serverless.engines.sketch.harmony import power_chord, voice
from acestep_serverless.engines.sketch.score import Note, Part
from acestep_serverless.engines.sketch.sheet import Sheet, loudness, section_grid
from acestep_serverless.engines.sketch.styles.model import Comping, Pad

# Seconds between the strings of a strum.
STRUM_SECONDS = 0.014
VELOCITIES = {"X": 94, "x": 80, "d": 84, "u": 70}
# Seconds after which a held tone is struck again: strings change their bow, and tones take memory.
LONGEST_HELD = 6.0
PAD_VELOCITY, TONE_VELOCITY, FINAL_VELOCITY = 66, 78, 88


def voicing_table(sheet: Sheet, player: Comping | Pad) -> list[tuple[int, ...]]:
    """One voicing per chord of the song."""
    chords = [span.chord for span in sheet.spans]
    if isinstance(player, Comping) and player.power:
        return [power_chord(chord, player.centre) for chord in chords]
    rootless = isinstance(player, Comping) and player.rootless
    return voice(chords, player.voices, player.centre, rootless)


def ladder_tone(voicing: tuple[int, ...], rung: int) -> int:
    """The rung-th tone (from 0) of a voicing that goes on upwards in octaves."""
    octave, index = divmod(rung, len(voicing))
    return voicing[index] + 12 * octave


def sound_event(event: Event, voicing: tuple[int, ...], beat: float, energy: float, strum: float) -> list[Note]:
    """The notes of one mark: a single tone, a block chord, or a strum whose strings follow each other."""
    start, length = beat + event.start, event.length * 0.96
    if event.mark.isdigit():
        return [Note(start, length, ladder_tone(voicing, int(event.mark) - 1), loudness(TONE_VELOCITY, energy))]
    velocity = loudness(VELOCITIES[event.mark], energy)
    if event.mark == "d":
        return [Note(start + i * strum, length, p, velocity - 2 * i) for i, p in enumerate(voicing)]
    if event.mark == "u":
        return [Note(start + i * strum, length, p, velocity - 2 * i) for i, p in enumerate(reversed(voicing[-3:]))]
    return [Note(start, length, pitch, velocity) for pitch in voicing]


def comping_part(sheet: Sheet, player: Comping, name: str, role: str) -> Part:
    """A whole comping or arpeggio part. A held chord that meets a chord change is cut there."""
    table = voicing_table(sheet, player)
    strum = STRUM_SECONDS * sheet.plan.tempo / 60
    notes: list[Note] = []
    for stretch, index, beat in sheet.bars():
        if stretch.energy < player.enters:
            continue
        grid = section_grid(stretch, player.verse, player.chorus)
        for event in bar_events(grid, sheet.brief.meter, index):
            place = sheet.span_index(beat + event.start)
            room = sheet.spans[place].stop - beat - event.start
            cut = Event(event.start, min(event.length, max(room, 0.1)), event.mark)
            notes += sound_event(cut, table[place], beat, stretch.energy, strum)
    notes = sheet.before_final(notes)
    final = sheet.spans[-1]
    if role == "chords" or notes:
        notes += [Note(final.start + i * strum, final.length, p, FINAL_VELOCITY) for i, p in enumerate(table[-1])]
    sound = player.sound
    played = perform(sheet, notes, sheet.brief.chance.of("humanise", role))
    return Part(name, role, sound.program, played, sound.gain, sound.pan, sound.reverb, sound.chorus)


def pad_part(sheet: Sheet, player: Pad) -> Part:
    """Held chords; a tone that the next chord shares is held on instead of struck again, within its section."""
    table = voicing_table(sheet, player)
    notes: list[Note] = []
    held: dict[int, Note] = {}
    for span, voicing in zip(sheet.spans, table, strict=True):
        stretch = sheet.stretch_at(span.start)
        resting = stretch.energy < player.enters and span is not sheet.spans[-1]
        fresh = abs(span.start - stretch.first * sheet.plan.beats_per_bar) < 1e-6
        current: dict[int, Note] = {}
        for pitch in () if resting else voicing:
            before = held.get(pitch)
            long = before is not None and (span.stop - before.start) * 60 / sheet.plan.tempo > LONGEST_HELD
            if before is not None and not long and not fresh and span is not sheet.spans[-1]:
                current[pitch] = Note(before.start, span.stop - before.start, pitch, before.velocity)
            else:
                current[pitch] = Note(span.start, span.length, pitch, loudness(PAD_VELOCITY, stretch.energy))
        notes += [note for pitch, note in held.items() if pitch not in current or current[pitch].start != note.start]
        held = current
    notes += held.values()
    sound = player.sound
    played = perform(sheet, notes, sheet.brief.chance.of("humanise", "pad"))
    return Part("Pad", "pad", sound.program, played, sound.gain, sound.pan, sound.reverb, sound.chorus)
