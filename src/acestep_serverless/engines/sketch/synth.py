"""How do the electronic voices sound? Oscillators, a moving filter and an envelope, computed; no recording takes part.

Each voice is a row of `VOICES`; programs not in it are played from the SoundFont.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.control import control_times, every_sample
from acestep_serverless.engines.sketch.tone import LONGEST_MADE, Floats, Tone, prolonged, swept_lowpass

GOLDEN = 0.6180339887498949  # start phases spread evenly, and the same each time
_CYCLE = 1 << 32


@dataclass(frozen=True, slots=True)
class Voice:
    """One patch: an Instrument (see tone.py).

    `wave` is one that `oscillate` knows; `unison` oscillators per channel spread over `detune` cents; `sub` the level
    of a sine an octave below; the filter falls from `bright` to `dark` (multiples of the pitch, at least `floor` Hz)
    in about `sweep` seconds; attack, decay and release in seconds, `sustain` linear.
    """

    wave: str
    unison: int = 1
    detune: float = 0.0
    sub: float = 0.0
    bright: float = 8.0
    dark: float = 4.0
    floor: float = 0.0
    sweep: float = 0.3
    attack: float = 0.005
    decay: float = 0.4
    sustain: float = 0.7
    release: float = 0.25
    stereo: bool = True
    octave: int = 0

    def __call__(self, pitch: int, layer: int, held: int) -> Tone:
        """Return one note; brighter for a higher velocity layer."""
        hertz = 440 * 2 ** ((pitch - 69) / 12 + self.octave)
        count = held + int(self.release * SAMPLE_RATE)
        made = min(count, LONGEST_MADE)
        sides = range(2 if self.stereo else 1)
        channels = [prolonged(self._channel(hertz, layer, made, side), count, hertz) for side in sides]
        return Tone(samples=np.stack(channels) * self._envelope(count), release=self.release)

    def _channel(self, hertz: float, layer: int, count: int, side: int) -> Floats:
        spread = np.linspace(-0.5, 0.5, self.unison) if self.unison > 1 else np.zeros(1)
        total = np.zeros(count, dtype=np.float32)
        for index, place in enumerate(spread):
            phase = (GOLDEN * (index + 1 + self.unison * side)) % 1 if self.unison > 1 else 0.0
            total += oscillate(self.wave, hertz * 2 ** (place * self.detune / 1200), phase, count)
        total /= np.float32(np.sqrt(self.unison))
        force = 0.6 + 0.5 * layer / 127
        dark, bright = max(self.floor, hertz * self.dark) * force, max(self.floor, hertz * self.bright) * force
        total = swept_lowpass(total, dark + (bright - dark) * np.exp(-control_times(count) / self.sweep))
        if self.sub:
            total += np.float32(self.sub) * oscillate("sine", hertz / 2, 0.0, count)
        return total

    def _envelope(self, count: int) -> Floats:
        seconds = control_times(count)
        rise = np.minimum(seconds / self.attack, 1)
        fall = np.exp(-np.maximum(seconds - self.attack, 0) / self.decay)
        return every_sample(0.5 * rise * (self.sustain + (1 - self.sustain) * fall), count)


def oscillate(wave: str, hertz: float, phase: float, count: int) -> Floats:
    """Return `count` samples in -1..1 from `phase` of its cycle (0.0 to 1.0) on.

    Waves are "saw", "square", "pulse" (high for a quarter of its cycle), "triangle" and "sine".

    The phase is a 32-bit integer that wraps by itself, 8 times faster than a floating-point remainder.
    """
    step = round(hertz / SAMPLE_RATE * _CYCLE)
    start = int(phase * _CYCLE)
    if wave == "square":
        return _saw(step, start, count) - _saw(step, (start + _CYCLE // 2) % _CYCLE, count)
    if wave == "pulse":
        return _saw(step, start, count) - _saw(step, (start + _CYCLE // 4) % _CYCLE, count)
    if wave == "triangle":
        return np.asarray(2 * np.abs(_turning(step, start + _CYCLE // 4 & _CYCLE - 1, count)) - 1, dtype=np.float32)
    if wave == "sine":
        return np.asarray(np.sin(_turning(step, start, count) * np.float32(np.pi)), dtype=np.float32)
    return _saw(step, start, count)


def _turning(step: int, start: int, count: int) -> Floats:
    """Return a phase that rises from -1 to 1 once per cycle, at 0 when `start` is 0."""
    places = np.arange(count, dtype=np.uint32) * np.uint32(step) + np.uint32(start)
    return places.view(np.int32).astype(np.float32) * np.float32(2 / _CYCLE)


def _saw(step: int, start: int, count: int) -> Floats:
    """Return a saw whose falling edges are rounded by a quadratic over one sample on each side, against aliases.

    The polynomial is the band-limited step of Välimäki and Huovilainen (2007).
    """
    wave = _turning(step, start, count)
    half = _CYCLE // 2
    cycles = np.arange(1 + (start + half + step * count) // _CYCLE, dtype=np.int64)
    after = -(-(cycles * _CYCLE - start - half) // step)
    ahead = (after * step + start + half - cycles * _CYCLE) / step
    for places, shape in ((after, -((1 - ahead) ** 2)), (after - 1, ahead**2)):
        inside = (places >= 0) & (places < count)
        wave[places[inside]] -= shape[inside].astype(np.float32)
    return wave


SUB_BASS = Voice("saw", sub=0.9, bright=9, dark=3, floor=180, sweep=0.12, decay=0.5, release=0.09, stereo=False)
REESE = Voice("saw", unison=3, detune=24, sub=0.8, bright=6, dark=4, floor=220, sweep=0.4, release=0.12, stereo=False)
SQUARE_LEAD = Voice("square", unison=2, detune=9, bright=9, dark=5, sweep=0.25, sustain=0.75, release=0.22)
SUPERSAW = Voice("saw", unison=5, detune=32, bright=14, dark=7, sweep=0.3, sustain=0.8, release=0.3)
PLUCK = Voice("saw", unison=2, detune=12, bright=12, dark=1.6, sweep=0.09, decay=0.25, sustain=0.12, release=0.25)
STAB = Voice(
    "saw", unison=3, detune=22, bright=9, dark=2.5, floor=500, sweep=0.14, decay=0.3, sustain=0.45, release=0.2
)
WARM_PAD = Voice(
    "saw", unison=4, detune=26, bright=2.5, dark=4, floor=500, sweep=1.5, attack=0.35, decay=1, sustain=0.9, release=1.4
)
BRASS = Voice("saw", unison=3, detune=16, bright=3, dark=7, floor=400, sweep=0.06, attack=0.03, sustain=0.85)
CONSOLE_PULSE = Voice("pulse", bright=40, dark=40, decay=0.3, sustain=0.6, release=0.03, stereo=False)
CONSOLE_TRIANGLE = Voice("triangle", bright=30, dark=30, decay=0.5, sustain=0.9, release=0.03, stereo=False)
GLASS = Voice("sine", unison=2, detune=6, sub=0.15, attack=0.3, decay=1, sustain=0.85, release=1.6)

VOICES: Mapping[int, Voice] = MappingProxyType(
    {
        38: SUB_BASS,
        39: REESE,
        50: WARM_PAD,
        51: WARM_PAD,
        62: BRASS,
        63: BRASS,
        80: SQUARE_LEAD,
        81: SUPERSAW,
        82: CONSOLE_PULSE,
        83: CONSOLE_TRIANGLE,
        84: PLUCK,
        87: PLUCK,
        88: GLASS,
        89: WARM_PAD,
        90: STAB,
        94: GLASS,
        95: WARM_PAD,
    }
)
"""Electronic voices by General MIDI program."""
