"""Which pitch has the voice at each moment? The notes' own, with glides between them, scoops, vibrato and some unrest.

A median over a note is the note: glides end soon after its start, vibrato swings evenly around it, and the unrest of a
few cents averages out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.engines.sketch.voice.kinds import Take

STEP = 0.002
"""Seconds between two values of a curve."""

GLIDE_BEFORE, GLIDE_AFTER = 0.045, 0.035
SCOOP, SCOOP_SECONDS = 80.0, 0.09
# Vibrato comes late, grows, and only on notes that last.
VIBRATO_FROM, VIBRATO_AFTER, VIBRATO_GROWS = 0.42, 0.22, 0.3
UNREST = 4.0
REST = 0.25
"""Seconds of silence after which a note is begun anew, with a scoop."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tone:
    """A note in seconds: `[start, stop)` at a MIDI pitch."""

    start: float
    stop: float
    pitch: int


def pitch_curve(tones: list[Tone], take: Take, start: float, stop: float, rng: np.random.Generator) -> Doubles:
    """Return the pitch in Hz every STEP from `start` to `stop` seconds: `[ceil((stop - start) / STEP) + 1]`."""
    times = steps(start, stop)
    cents = np.full(times.size, 100.0 * tones[0].pitch)
    for before, tone in zip([None, *tones], tones, strict=False):
        if before is not None:
            after = _ease((times - (tone.start - GLIDE_BEFORE)) / (GLIDE_BEFORE + GLIDE_AFTER))
            cents += 100.0 * (tone.pitch - before.pitch) * after
        if before is None or tone.start - before.stop > REST:
            height = SCOOP * rng.uniform(0.5, 1.2)
            cents -= height * np.where(times < tone.start - 0.3, 0.0, 1 - _ease((times - tone.start) / SCOOP_SECONDS))
        cents += _vibrato(tone, take, times, rng)
    cents += _unrest(times.size, rng) + take.cents
    return np.asarray(440 * 2 ** ((cents - 6900) / 1200))


def steps(start: float, stop: float) -> Doubles:
    """Return the seconds from `start` to `stop` at which curves have values: `[ceil((stop - start) / STEP) + 1]`."""
    return np.asarray(start + np.arange(int(np.ceil((stop - start) / STEP)) + 1) * STEP, dtype=np.float64)


def _ease(place: Doubles) -> Doubles:
    """Rise from 0 to 1 as `place` does, softly at both ends."""
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * np.clip(place, 0, 1)))


def _vibrato(tone: Tone, take: Take, times: Doubles, rng: np.random.Generator) -> Doubles:
    rate, depth = take.kind.rate * rng.uniform(0.95, 1.05), take.kind.vibrato * rng.uniform(0.8, 1.2)
    if tone.stop - tone.start < VIBRATO_FROM:
        return np.zeros(times.size)
    since = times - tone.start - VIBRATO_AFTER
    grown = np.clip(since / VIBRATO_GROWS, 0, 1) * np.clip((tone.stop - times) / 0.06, 0, 1)
    return np.asarray(depth * grown * np.sin(2 * np.pi * rate * np.maximum(since, 0)))


def _unrest(count: int, rng: np.random.Generator) -> Doubles:
    """Return a slow walk of a few cents: no voice stands still."""
    knots = rng.standard_normal(count // 60 + 3)
    return np.asarray(UNREST * np.interp(np.arange(count) / 60, np.arange(knots.size), knots))
