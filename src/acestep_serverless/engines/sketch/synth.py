"""How do the electronic voices sound? Oscillators, a moving filter and an envelope, computed; no recording takes part.

Each voice is a row of `VOICES`; programs not in it are played from the SoundFont.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.tone import Floats, Tone, swept_lowpass

GOLDEN = 0.6180339887498949  # start phases spread evenly, and the same each time


@dataclass(frozen=True, slots=True)
class Voice:
    """One patch: an Instrument (see tone.py).

    `wave` is "saw", "square" or "sine"; `unison` oscillators per channel spread over `detune` cents; `sub` the level of
    a sine an octave below; the filter falls from `bright` to `dark` (multiples of the pitch, at least `floor` Hz)
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
        time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
        channels = [self._channel(hertz, layer, time, side) for side in range(2 if self.stereo else 1)]
        return Tone(samples=np.stack(channels) * self._envelope(time), release=self.release)

    def _channel(self, hertz: float, layer: int, time: Floats, side: int) -> Floats:
        spread = np.linspace(-0.5, 0.5, self.unison) if self.unison > 1 else np.zeros(1)
        total = np.zeros_like(time)
        for index, place in enumerate(spread):
            phase = (GOLDEN * (index + 1 + self.unison * side)) % 1 if self.unison > 1 else 0.0
            total += oscillate(self.wave, hertz * 2 ** (place * self.detune / 1200), phase, time.size)
        total /= np.float32(np.sqrt(self.unison))
        fade = np.exp(-time / np.float32(self.sweep))
        force = 0.6 + 0.5 * layer / 127
        dark, bright = max(self.floor, hertz * self.dark) * force, max(self.floor, hertz * self.bright) * force
        filtered = swept_lowpass(total, np.float32(dark) + np.float32(bright - dark) * fade)
        if self.sub:
            filtered += np.float32(self.sub) * oscillate("sine", hertz / 2, 0.0, time.size)
        return np.asarray(filtered, dtype=np.float32)

    def _envelope(self, time: Floats) -> Floats:
        rise = np.minimum(time / np.float32(self.attack), 1)
        fall = np.exp(-np.maximum(time - np.float32(self.attack), 0) / np.float32(self.decay))
        shape = 0.5 * rise * (np.float32(self.sustain) + np.float32(1 - self.sustain) * fall)
        return np.asarray(shape, dtype=np.float32)


def oscillate(wave: str, hertz: float, phase: float, count: int) -> Floats:
    """Return `count` samples of "saw", "square" or "sine" in -1..1, without audible aliases.

    Steps are rounded by a quadratic over one sample on each side (the polynomial band-limited step, Välimäki and
    Huovilainen 2007).
    """
    step = hertz / SAMPLE_RATE
    place = ((np.arange(count) * step + phase) % 1.0).astype(np.float32)
    if wave == "sine":
        return np.asarray(np.sin(np.float32(2 * np.pi) * place), dtype=np.float32)
    if wave == "square":
        shifted = place + np.float32(0.5)
        shifted -= np.floor(shifted)
        return np.where(place < 0.5, np.float32(1), np.float32(-1)) + _step(place, step) - _step(shifted, step)
    return 2 * place - 1 - _step(place, step)


def _step(place: Floats, step: float) -> Floats:
    correction = np.zeros_like(place)
    width = np.float32(step)
    after, before = np.flatnonzero(place < width), np.flatnonzero(place > 1 - width)
    now, coming = place[after] / width, (place[before] - 1) / width
    correction[after] = now + now - now * now - 1
    correction[before] = coming * coming + coming + coming + 1
    return correction


def electronic_kick(layer: int) -> Tone:
    """Return a bass drum: a sine that falls from 190 to 48 Hz with a click in front."""
    time = np.arange(int(0.42 * SAMPLE_RATE), dtype=np.float32) / np.float32(SAMPLE_RATE)
    hertz = 48 + 142 * np.exp(-time / 0.028)
    body = np.sin(2 * np.pi * np.cumsum(hertz, dtype=np.float64) / SAMPLE_RATE).astype(np.float32)
    click = np.sin(2 * np.pi * 1800 * time) * np.exp(-time / 0.0025) * (0.15 + 0.2 * layer / 127)
    ending = np.minimum(1, (time[-1] - time) / 0.05)
    shape = np.minimum(time / 0.001, 1) * np.exp(-time / 0.16) * ending
    samples = np.asarray(np.tanh(1.6 * (body * shape + click)) * 0.8, dtype=np.float32)
    return Tone(samples=samples[None, :], release=0.1, one_shot=True)


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

ELECTRONIC_KITS = frozenset({24, 25})
KICKS = frozenset({35, 36})
