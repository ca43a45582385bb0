"""How does a part sound, stretch by stretch? Notes become placed tones, levelled so that every part is equally loud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import sosfilt

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.audio.loudness import channel_powers
from acestep_serverless.audio.together import Stop
from acestep_serverless.engines.sketch.score import Part
from acestep_serverless.engines.sketch.tone import Floats, Instrument, Tone, velocity_gain, velocity_layer

CHOKE = int(0.02 * SAMPLE_RATE)  # how long a choked hi-hat takes to fall silent
ENDING = int(0.01 * SAMPLE_RATE)
NEVER = 1 << 40
MOST_RELEASES = 8
# Every part is brought to this power (LUFS without gating) while it plays; roles and the score's gains come on top.
EVEN_LOUDNESS = -23.0


@dataclass(frozen=True, slots=True)
class _Event:
    """A note in samples: where it starts, how long its key is held, when another drum silences it."""

    start: int
    held: int
    key: tuple[int, int]
    gain: float
    choked: int = NEVER


class Player:
    """One part on its instrument. `prepare` once, then `play` the song's stretches in order."""

    def __init__(self, part: Part, tempo: float, instrument: Instrument, equaliser: Floats) -> None:
        self.part = part
        self._instrument = instrument
        self._equaliser = equaliser
        self._events = _events(part, SAMPLE_RATE * 60 / tempo)
        self._tones: dict[tuple[int, int], Tone | None] = {}
        self._releases: dict[tuple[int, float], Floats] = {}
        self._next = 0
        self._ringing: Floats = np.zeros((2, 0), dtype=np.float32)
        self._level = np.float32(1)

    def prepare(self, stop: Stop) -> None:
        """Make every tone the part needs and find the gain that makes the part as loud as any other."""
        longest: dict[tuple[int, int], int] = {}
        for event in self._events:
            longest[event.key] = max(event.held, longest.get(event.key, 0))
        energies: dict[tuple[int, int], NDArray[np.float64]] = {}
        for key, held in longest.items():
            stop()
            tone = self._instrument(*key, held)
            if tone is not None:
                tone = replace(tone, samples=_equalised(tone, self._equaliser))
                energies[key] = _energy(tone, stop)
            self._tones[key] = tone
        self._level = np.float32(self._even_gain(energies))
        self._events = _choked(self._events, self._tones)

    def _even_gain(self, energies: Mapping[tuple[int, int], NDArray[np.float64]]) -> float:
        """Return the linear gain to EVEN_LOUDNESS from each note's K-weighted energy over the time that has notes."""
        energy = 0.0
        busy: set[int] = set()
        for event in self._events:
            curve = energies.get(event.key)
            if curve is None or not curve.size:
                continue
            tone = self._tones[event.key]
            last = curve.size - 1 if tone is not None and tone.one_shot else min(curve.size - 1, event.held // 48)
            energy += float(curve[last]) * event.gain**2
            heard = min(max(event.held, 9600), SAMPLE_RATE)
            busy.update(range(event.start // 9600, (event.start + heard) // 9600 + 1))
        if energy <= 0:
            return 1.0
        return float(np.sqrt(10 ** ((EVEN_LOUDNESS + 0.691) / 10) / (energy / (len(busy) * 0.2))))

    def play(self, first: int, last: int, stop: Stop) -> Floats:
        """Return stereo samples `[2, last - first]` of the stretch; stretches must follow one another."""
        events = self._take(last)
        reach = max([last - first, self._ringing.shape[1], *(self._end(event) - first for event in events)])
        total = np.zeros((2, reach), dtype=np.float32)
        total[:, : self._ringing.shape[1]] = self._ringing
        for number, event in enumerate(events):
            if number % 16 == 0:
                stop()
            self._place(event, total[:, event.start - first :])
        self._ringing = total[:, last - first :].copy()
        return total[:, : last - first]

    def _take(self, last: int) -> Sequence[_Event]:
        begin = self._next
        while self._next < len(self._events) and self._events[self._next].start < last:
            self._next += 1
        return self._events[begin : self._next]

    def _end(self, event: _Event) -> int:
        tone = self._tones[event.key]
        return event.start + (0 if tone is None else _sounding(tone, event))

    def _place(self, event: _Event, room: Floats) -> None:
        """Add one note to `room`, whose first sample is the note's start."""
        tone = self._tones[event.key]
        if tone is None:
            return
        count = _sounding(tone, event)
        samples = tone.samples[:, :count] * (self._level * np.float32(event.gain))
        if count > event.held and not tone.one_shot:
            samples[:, event.held :] *= self._release(count - event.held, tone.release)
        if count > event.choked:
            samples[:, event.choked :] *= np.linspace(1, 0, count - event.choked, dtype=np.float32)
        room[:, :count] += samples

    def _release(self, count: int, seconds: float) -> Floats:
        """Return `count` samples that fall by 60 dB per `seconds` and end at zero."""
        key = (count, seconds)
        if key not in self._releases:
            if len(self._releases) >= MOST_RELEASES:
                self._releases.clear()
            place = np.arange(count, dtype=np.float32) / np.float32(seconds * SAMPLE_RATE)
            fade = 1 - np.arange(count, dtype=np.float32) / np.float32(count)
            self._releases[key] = np.asarray(np.exp(np.float32(-6.9) * place) * fade, dtype=np.float32)
        return self._releases[key]


def _equalised(tone: Tone, equaliser: Floats) -> Floats:
    """Filter a tone. The filter rings beyond the end of a one-shot, where a bass drum would break off: it fades."""
    samples = np.asarray(sosfilt(equaliser, tone.samples), dtype=np.float32)
    if tone.one_shot:
        ending = samples[:, -ENDING:]
        ending *= np.cos(np.linspace(0, np.pi / 2, ending.shape[1], dtype=np.float32)) ** 2
    return samples


def _energy(tone: Tone, stop: Stop) -> NDArray[np.float64]:
    """Return the K-weighted energy of a tone's first 1, 2, 3 ... milliseconds, of its first second at most."""
    heard = tone.samples[:, :SAMPLE_RATE]
    powers = np.sum([channel_powers(channel, SAMPLE_RATE, stop) for channel in heard], axis=0)
    return np.asarray(np.cumsum(powers) * (2 / len(heard)) / 1000)


def _sounding(tone: Tone, event: _Event) -> int:
    """Return how many samples of a tone are heard."""
    held = NEVER if tone.one_shot else event.held + int(tone.release * SAMPLE_RATE)
    return int(min(tone.samples.shape[1], held, event.choked + CHOKE))


def _events(part: Part, beat: float) -> list[_Event]:
    """Turn beats into samples, in order of time."""
    return [
        _Event(
            start=max(0, round(note.start * beat)),
            held=max(1, round(note.length * beat)),
            key=(note.pitch, velocity_layer(note.velocity)),
            gain=velocity_gain(note.velocity),
        )
        for note in sorted(part.notes)
    ]


def _choked(events: Sequence[_Event], tones: Mapping[tuple[int, int], Tone | None]) -> list[_Event]:
    """Give every event of a choke group the time until the group's next event."""
    following: dict[int, int] = {}
    found = []
    for event in reversed(events):
        tone = tones[event.key]
        group = tone.choke if tone is not None else 0
        if group:
            end = following.get(group, NEVER)
            following[group] = event.start
            event = replace(event, choked=max(1, end - event.start))
        found.append(event)
    return found[::-1]
