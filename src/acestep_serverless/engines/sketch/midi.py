"""How is a score read elsewhere? As a standard MIDI file: a conductor's track, then one for each player and voice.

Format 1, 480 ticks to the quarter note (Standard MIDI Files 1.0). Drums play on channel 10, each other part on one of
its own. The tune's words are lyric events as RP-017 has them: one a syllable, a space after a word, a carriage return
after a line; texts are UTF-8.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import chain, groupby

from mido import Message, MetaMessage, MidiFile, MidiTrack, bpm2tempo

from acestep_serverless.engines.sketch.score import Note, Part, Score
from acestep_serverless.engines.sketch.theory import parse_key
from acestep_serverless.engines.sketch.voice.song import SungNote, Vocals

TICKS_PER_BEAT = 480
DRUM_CHANNEL = 9
"""Channel 10, counted from 0."""
MELODIC_CHANNELS = tuple(channel for channel in range(16) if channel != DRUM_CHANNEL)
"""Fifteen; a score of more parts than that begins at the first one again."""
VOICE_PROGRAM = 53
"""General MIDI's "Voice Oohs"."""
METERS = {"2": (2, 4), "3": (3, 4), "4": (4, 4), "6": (6, 8)}
VOLUME, PAN, REVERB, CHORUS = 7, 10, 91, 93
LOUD = 100
"""The volume of a part without gain; General MIDI's own default."""

Event = tuple[int, int, Message | MetaMessage]
"""Tick, turn among the events of that tick (what ends goes before what begins), and the message."""


def midi_file(score: Score) -> bytes:
    """Return a score, and what is sung in it, as the bytes of a standard MIDI file. The same score, the same bytes.

    It is as long as the song. `score.time_signature` must be one of METERS.
    """
    end = ticks(score.seconds * score.tempo / 60)
    file = MidiFile(type=1, ticks_per_beat=TICKS_PER_BEAT, charset="utf-8")
    file.tracks.append(_track(_conducting(score), end))
    channels = _channels(len(score.parts))
    for part in score.parts:
        channel = DRUM_CHANNEL if part.role == "drums" else next(channels)
        file.tracks.append(_track(_playing(part, channel), end))
    if score.vocals is not None:
        for name, notes in _voices(score.vocals):
            file.tracks.append(_track(_singing(name, notes, next(channels), score.vocals), end))
    written = BytesIO()
    file.save(file=written)
    return written.getvalue()


def ticks(beats: float) -> int:
    """Return a place in beats as ticks; what lies before the song begins with it."""
    return max(0, round(beats * TICKS_PER_BEAT))


def _channels(parts: int) -> Iterator[int]:
    return chain.from_iterable(MELODIC_CHANNELS for _ in range(parts + 2))


def _track(events: Iterable[Event], end: int) -> MidiTrack:
    """Sort events into a track that ends with the song."""
    track, now = MidiTrack(), 0
    for tick, _, message in sorted(events, key=lambda event: event[:2]):
        message.time, now = tick - now, tick
        track.append(message)
    track.append(MetaMessage("end_of_track", time=max(0, end - now)))
    return track


def _conducting(score: Score) -> Iterator[Event]:
    """Tempo, meter, key, and the sections' names as markers."""
    numerator, denominator = METERS[score.time_signature]
    key = parse_key(score.key_scale).name
    yield 0, 0, MetaMessage("track_name", name=score.style)
    yield 0, 1, MetaMessage("set_tempo", tempo=bpm2tempo(score.tempo))
    yield 0, 1, MetaMessage("time_signature", numerator=numerator, denominator=denominator)
    yield 0, 1, MetaMessage("key_signature", key=key.replace(" major", "").replace(" minor", "m"))
    for section in score.sections:
        yield ticks(section.start), 2, MetaMessage("marker", text=section.name)


def _playing(part: Part, channel: int) -> Iterator[Event]:
    settings = {
        VOLUME: _volume(part.gain),
        PAN: _pan(part.pan),
        REVERB: _share(part.reverb),
        CHORUS: _share(part.chorus),
    }
    yield from _sitting_down(part.name, channel, part.program, settings)
    yield from _sounding(part.notes, channel)


def _voices(vocals: Vocals) -> Iterator[tuple[str, Sequence[SungNote]]]:
    yield "Voice", [note for line in vocals.lines for note in line.notes]
    for number, notes in enumerate(vocals.harmonies, 1):
        yield f"Harmony {number}", notes


def _singing(name: str, notes: Sequence[SungNote], channel: int, vocals: Vocals) -> Iterator[Event]:
    """A voice as notes; the tune's own track bears the words."""
    settings = {VOLUME: _volume(vocals.gain), PAN: _pan(vocals.pan), REVERB: _share(vocals.reverb)}
    yield from _sitting_down(name, channel, VOICE_PROGRAM, settings)
    yield from _sounding([Note(note.start, note.length, note.pitch, note.velocity) for note in notes], channel)
    if name == "Voice":
        yield from _words(vocals)


def _words(vocals: Vocals) -> Iterator[Event]:
    for line in vocals.lines:
        sung = [(note.start, note.syllable) for note in line.notes if note.syllable is not None]
        for number, (start, syllable) in enumerate(sung):
            close = "\r" if number == len(sung) - 1 else " " if syllable.word_end else ""
            yield ticks(start), 2, MetaMessage("lyrics", text=syllable.text + close)


def _sitting_down(name: str, channel: int, program: int, settings: dict[int, int]) -> Iterator[Event]:
    """Name, instrument and the desk's settings, before the first note."""
    yield 0, 0, MetaMessage("track_name", name=name)
    yield 0, 1, Message("program_change", channel=channel, program=program)
    for control, value in settings.items():
        yield 0, 1, Message("control_change", channel=channel, control=control, value=value)


def _sounding(notes: Iterable[Note], channel: int) -> Iterator[Event]:
    """Notes as they begin and end; one that sounds into the next of its pitch ends there."""
    ordered = sorted(notes, key=lambda note: (note.pitch, note.start))
    for pitch, same in groupby(ordered, key=lambda note: note.pitch):
        row = list(same)
        starts = [ticks(note.start) for note in row]
        for note, start, following in zip(row, starts, [*starts[1:], None], strict=True):
            stop = max(start + 1, ticks(note.start + note.length))
            if following is not None:
                stop = min(stop, following)
            if stop > start:
                yield start, 3, Message("note_on", channel=channel, note=pitch, velocity=note.velocity)
                yield stop, 1, Message("note_off", channel=channel, note=pitch, velocity=64)


def _volume(gain: float) -> int:
    """Decibels as controller 7, which General MIDI squares: 40 log10(value / 127) dB."""
    return min(127, max(1, round(LOUD * 10 ** (gain / 40))))


def _pan(pan: float) -> int:
    return min(127, max(0, round(64 + 63 * pan)))


def _share(send: float) -> int:
    return min(127, max(0, round(127 * send)))
