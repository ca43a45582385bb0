"""How do computed drums sound? A bass drum in the key, the drums of an old game console, and noise that rises."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.control import control_times, every_sample
from acestep_serverless.engines.sketch.tone import Floats, Instrument, Tone, swept_lowpass

ELECTRONIC_KITS = frozenset({24, 25})
CONSOLE_KIT = 26
KICKS = frozenset({35, 36})
# The bass drum's last pitch lies from here up to a major seventh above, in MIDI numbers: 41 to 78 Hz.
LOWEST_KICK = 28
# Seconds in which each drum of the console fades, and after how many samples its noise takes a new value.
CONSOLE_DRUMS: Mapping[int, tuple[float, int]] = MappingProxyType(
    {
        38: (0.09, 3),
        40: (0.09, 3),
        39: (0.07, 2),
        42: (0.018, 1),
        44: (0.018, 1),
        46: (0.09, 1),
        49: (0.3, 1),
        51: (0.03, 1),
    }
)
LONGEST_SWEEP = 10.0


@lru_cache(maxsize=4)
def noise(count: int, seed: int) -> Floats:
    """Return `count` even random values in -1..1, the same on every machine."""
    raw = np.random.PCG64(seed).random_raw(count)
    return np.asarray((raw >> np.uint64(40)).astype(np.float64) / (1 << 23) - 1, dtype=np.float32)


def kick_hertz(tonic: int | None) -> float:
    """Return where the bass drum ends up: on the tonic (pitch class 0 to 11), so that it supports the harmony."""
    pitch = 31 if tonic is None else LOWEST_KICK + (tonic - LOWEST_KICK) % 12
    return float(440 * 2 ** ((pitch - 69) / 12))


def electronic_kick(layer: int, hertz: float) -> Tone:
    """Return a bass drum: a sine that falls by two octaves to `hertz` with a click in front."""
    time = np.arange(int(0.42 * SAMPLE_RATE), dtype=np.float32) / np.float32(SAMPLE_RATE)
    falling = hertz * (1 + 3 * np.exp(-time / 0.028))
    body = np.sin(2 * np.pi * np.cumsum(falling, dtype=np.float64) / SAMPLE_RATE).astype(np.float32)
    click = np.sin(2 * np.pi * 1800 * time) * np.exp(-time / 0.0025) * (0.15 + 0.2 * layer / 127)
    ending = np.minimum(1, (time[-1] - time) / 0.05)
    shape = np.minimum(time / 0.001, 1) * np.exp(-time / 0.16) * ending
    samples = np.asarray(np.tanh(1.6 * (body * shape + click)) * 0.8, dtype=np.float32)
    return Tone(samples=samples[None, :], release=0.1, one_shot=True)


def console_drum(pitch: int, layer: int) -> Tone:
    """Return a drum of an old game console: stepped noise that fades, for kicks a square that falls."""
    fade, step = CONSOLE_DRUMS.get(pitch, (0.12, 6))
    count = int(6 * fade * SAMPLE_RATE)
    time = np.arange(count, dtype=np.float32) / np.float32(SAMPLE_RATE)
    if pitch in KICKS:
        falling = 60 + 200 * np.exp(-time / 0.03)
        sound = np.sign(np.sin(2 * np.pi * np.cumsum(falling, dtype=np.float64) / SAMPLE_RATE))
    else:
        sound = np.repeat(noise(count // step + 1, pitch), step)[:count].astype(np.float64)
        sound = sound - sound.mean()
    shape = np.exp(-time / fade) * np.minimum(1, (time[-1] - time) / 0.005) * (0.4 + 0.3 * layer / 127)
    return Tone(samples=np.asarray(sound * shape, dtype=np.float32)[None, :], release=0.05, one_shot=True)


def rising_noise(pitch: int, layer: int, held: int) -> Tone:
    """Return noise that grows brighter and louder as long as the key is held: an Instrument for sweeps."""
    count = min(held, int(LONGEST_SWEEP * SAMPLE_RATE))
    place = np.minimum(1, control_times(count) * SAMPLE_RATE / count)
    sides = []
    for side in (1, 2):
        sound = swept_lowpass(noise(count, side), 300 * 2 ** (5 * place), 1.2)
        sides.append(sound * every_sample(0.1 + 0.4 * place**2, count))
    tail = int(0.02 * SAMPLE_RATE)
    samples = np.stack(sides)
    samples[:, -tail:] *= np.linspace(1, 0, min(tail, count), dtype=np.float32)
    return Tone(samples=samples, release=0.03)


@dataclass(frozen=True, slots=True)
class ElectronicKit:
    """A drum kit whose bass drum is computed at `hertz`: an Instrument (see tone.py)."""

    recorded: Instrument
    hertz: float

    def __call__(self, pitch: int, layer: int, held: int) -> Tone | None:
        """Return the computed kick, or the recording of any other drum."""
        return electronic_kick(layer, self.hertz) if pitch in KICKS else self.recorded(pitch, layer, held)


def console_kit(pitch: int, layer: int, held: int) -> Tone:
    """Return a drum of the game console: an Instrument (see tone.py)."""
    return console_drum(pitch, layer)
