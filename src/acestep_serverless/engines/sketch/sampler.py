"""How does a SoundFont zone sound? Recording, loop, tuning, filter and envelopes become a tone.

Section numbers are those of the SoundFont 2.01 specification. Of its modulators only velocity to loudness and
brightness are played; its low-frequency oscillators are not (the band's chorus moves the sound instead).
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch import soundfont as sf
from acestep_serverless.engines.sketch.control import every_sample, line
from acestep_serverless.engines.sketch.soundfont import SoundFont, Zone
from acestep_serverless.engines.sketch.tone import LONGEST_MADE, Floats, Tone, prolonged, swept_lowpass

Doubles = NDArray[np.float64]

PITCH_ENVELOPE, FILTER_QUALITY, FILTER_ENVELOPE = 7, 9, 11
MODULATION = (25, 26, 27, 28, 29)
"""Generators of the modulation envelope: delay, attack, hold, decay, sustain (8.1.2)."""

# How much darker the quietest note is, in cents of cutoff; the specification's 2,400 muffles quiet parts of a mix.
VELOCITY_TO_FILTER = -1600
# Attenuations count 0.4 of their written value: the habit of the hardware these banks were made by ear on.
ATTENUATION_SCALE = 0.4
NO_FILTER = 18_000.0
SHORTEST_RELEASE, LONGEST_RELEASE = 0.03, 2.5
LONGEST_DRUM = 3 * SAMPLE_RATE
# Zones panned less than this are played in the middle: mono tones take half the time and memory.
NARROWEST_PAN = 0.35
# A recording far from its pitch needs no more than this much of itself per second of sound.
_MOST_RATIO = 16.0


@dataclass(frozen=True, slots=True)
class SampledInstrument:
    """One program of a bank: an Instrument (see tone.py)."""

    font: SoundFont
    bank: int
    program: int

    def __call__(self, pitch: int, layer: int, held: int) -> Tone | None:
        """Return the note's zones summed, stereo only where they are panned, or None where no zone sounds."""
        zones = [zone for zone in self.font.zones(self.bank, self.program) if zone.sounds(pitch, layer)]
        if not zones:
            return None
        drum = self.bank == sf.DRUM_BANK
        release = max(_release(zone) for zone in zones)
        count = max(held, LONGEST_DRUM) if drum else held + int(release * SAMPLE_RATE)
        pans = [_pan(zone) for zone in zones]
        stereo = drum or any(abs(pan) > NARROWEST_PAN for pan in pans)
        total = np.zeros((2 if stereo else 1, count), dtype=np.float32)
        for zone, pan in zip(zones, pans, strict=True):
            samples = self._zone(zone, pitch, layer, count)
            for channel, gain in zip(total, _gains(pan) if stereo else (1.0,), strict=True):
                channel[: samples.size] += samples * np.float32(gain)
        return Tone(
            samples=_without_silence(total),
            release=release,
            one_shot=drum,
            choke=max(zone.generators.get(sf.EXCLUSIVE_CLASS, 0) for zone in zones) if drum else 0,
        )

    def _zone(self, zone: Zone, pitch: int, layer: int, count: int) -> Floats:
        made = min(count, LONGEST_MADE)
        samples = _filtered(_recording(self.font, zone, _cents(zone, pitch), made), zone, layer)
        if samples.size == made:
            samples = prolonged(samples, count, 440 * 2 ** ((pitch - 69) / 12))
        level = 10 ** (-ATTENUATION_SCALE * zone.generators.get(sf.ATTENUATION, 0) / 200)
        return samples * every_sample(level * _volume(zone, pitch, samples.size), samples.size)


def _release(zone: Zone) -> float:
    """Return the seconds in which the tone falls by 60 dB; the generator counts 100 dB."""
    return float(np.clip(0.6 * _seconds(zone.generators[sf.RELEASE]), SHORTEST_RELEASE, LONGEST_RELEASE))


def _pan(zone: Zone) -> float:
    return float(np.clip(zone.generators.get(sf.PAN, 0) / 500, -1, 1))


def _gains(pan: float) -> tuple[float, float]:
    """Return left and right gains of equal power, 1.0 each in the middle."""
    angle = (pan + 1) * np.pi / 4
    return float(np.cos(angle) * np.sqrt(2)), float(np.sin(angle) * np.sqrt(2))


def _without_silence(samples: Floats) -> Floats:
    """Drop the end that lies below -90 dB: half of a drum kit's seconds."""
    loud = np.flatnonzero(np.abs(samples).max(axis=0) > 3e-5)
    return samples[:, : int(loud[-1]) + 1 if loud.size else 1]


def _seconds(timecents: float) -> float:
    return float(2 ** (timecents / 1200))


def _cents(zone: Zone, pitch: int) -> float:
    """Return how far the recording is bent for `pitch`."""
    values = zone.generators
    bend = (pitch - zone.root) * values[sf.SCALE_TUNING] + zone.correction
    return bend + 100 * values.get(sf.COARSE_TUNE, 0) + values.get(sf.FINE_TUNE, 0)


def _recording(font: SoundFont, zone: Zone, cents: float, count: int) -> Floats:
    """Return up to `count` samples of the recording at 48 kHz and its pitch, looped where it loops."""
    ratio = min(_MOST_RATIO, 2 ** (cents / 1200) * zone.rate / SAMPLE_RATE)
    bend = zone.generators.get(PITCH_ENVELOPE, 0)
    steps = ratio * every_sample(2 ** (bend / 1200 * _modulation(zone, count)), count) if bend else None
    needed = int(steps.sum() if steps is not None else ratio * count) + 16
    source = _unrolled(font, zone, needed)
    if steps is not None:
        places = np.concatenate(([0.0], np.cumsum(steps, dtype=np.float64)[:-1]))
        places = places[places < source.size - 1]
        return np.interp(places, np.arange(source.size), source).astype(np.float32)
    return np.array(soxr.resample(source, ratio, 1.0, quality="MQ")[:count], dtype=np.float32)


def _unrolled(font: SoundFont, zone: Zone, needed: int) -> Floats:
    """Return `needed` samples from the recording's start, its loop repeated; fewer when it does not loop."""
    body = font.data[zone.start : zone.end]
    loop = font.data[zone.loop_start : zone.loop_end]
    if zone.generators.get(sf.SAMPLE_MODES, 0) & 1 and loop.size > 1:
        head = font.data[zone.start : zone.loop_end]
        repeats = max(0, -(-(needed - head.size) // loop.size))
        body = np.concatenate((head, np.tile(loop, repeats)))
    return body[:needed].astype(np.float32) / np.float32(32_768)


def _modulation(zone: Zone, count: int) -> Doubles:
    """Return the modulation envelope, 0.0 to 1.0, as control values (8.1.2, generators 25 to 29)."""
    delay, attack, hold, decay = (_seconds(zone.generators.get(number, -12_000)) for number in MODULATION[:4])
    sustain = 1 - np.clip(zone.generators.get(MODULATION[4], 0) / 1000, 0, 1)
    peak = delay + attack
    end = peak + hold + decay * (1 - sustain) + 1e-6
    return line(((0, 0), (delay, 0), (peak, 1), (peak + hold, 1), (end, sustain)), count)


def _volume(zone: Zone, pitch: int, count: int) -> Doubles:
    """Return the volume envelope while the key is held as control values: linear attack, decay linear in dB (8.1.2)."""
    values = zone.generators
    delay, attack = _seconds(values[sf.DELAY]), _seconds(values[sf.ATTACK])
    hold = _seconds(values[sf.HOLD] + values.get(sf.KEY_TO_HOLD, 0) * (60 - pitch))
    decay = _seconds(values[sf.DECAY] + values.get(sf.KEY_TO_DECAY, 0) * (60 - pitch))
    sustain = float(np.clip(values.get(sf.SUSTAIN, 0) / 10, 0, 100))
    rise = line(((0, 0), (delay, 0), (delay + attack, 1)), count)
    peak = delay + attack + hold
    fall = line(((0, 0), (peak, 0), (peak + decay * sustain / 100 + 1e-6, -sustain)), count)
    return np.asarray(rise * 10 ** (fall / 20), dtype=np.float64)


def _filtered(samples: Floats, zone: Zone, layer: int) -> Floats:
    """Apply the zone's low-pass, moved by the modulation envelope and the velocity."""
    values = zone.generators
    base = values[sf.FILTER_CUTOFF] + VELOCITY_TO_FILTER * (1 - layer / 127)
    sweep = values.get(FILTER_ENVELOPE, 0)
    hertz = 8.176 * 2 ** ((base + sweep * _modulation(zone, samples.size)) / 1200)
    if not samples.size or hertz.min() > NO_FILTER:
        return samples
    quality = 0.707 * 10 ** (values.get(FILTER_QUALITY, 0) / 400)
    return swept_lowpass(samples, hertz, quality)
