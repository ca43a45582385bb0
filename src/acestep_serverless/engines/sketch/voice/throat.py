"""How does a verse sound from one throat? A response for each period, and the noise of consonants as spoken."""

from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.voice.analysis import HOP, RESPONSE, Floats, Voiced
from acestep_serverless.engines.sketch.voice.espeak import PITCH, RATE
from acestep_serverless.engines.sketch.voice.kinds import Take
from acestep_serverless.engines.sketch.voice.phonemes import is_nucleus, is_stop
from acestep_serverless.engines.sketch.voice.pitch import STEP, Doubles, pitch_curve, steps
from acestep_serverless.engines.sketch.voice.timing import Span, places_in_speech, spans_of
from acestep_serverless.engines.sketch.voice.words import Verse

LEAD_IN, LEAD_OUT = 0.6, 0.4
"""Seconds of sound before the first vowel (consonants, a breath) and after the last one."""

TOUCHING = 0.004
ATTACK, RELEASE = 0.025, 0.08
FADE = 0.004
CONSONANTS = 1.6
"""Gain of sounds without a pitch against the spoken line."""
# Half of the difference between loud and soft vowels stays: an "a" may be stronger than an "i".
EVENNESS = 0.5
# How far a vowel is brought to its own full loudness, at most by so much, and below which share it is closed.
FLATNESS, MOST_LIFT, CLOSED = 0.8, 4.0, 0.12
LIFTED_AFTER = 0.015
# A held vowel grows softer (dB per second, after seconds, at most dB): one syllable stays one, also to a recogniser.
FALL_PER_SECOND, FALLS_AFTER, MOST_FALL = 25.0, 0.1, 8.0
BREATH_REST, BREATH_SECONDS, BREATH_LEVEL = 0.45, 0.24, 0.008


def first_sample(verse: Verse) -> int:
    """Return the song's sample at which the sound of a verse begins; it may lie before the song's start."""
    return int(np.floor((verse.syllables[0].start - LEAD_IN) * SAMPLE_RATE))


def sing_verse(
    verse: Verse, bank: Voiced, noises: Floats, take: Take, rng: np.random.Generator, rested: float
) -> Floats:
    """Return a verse from `first_sample` on, mono at 48 kHz; `rested` are the seconds of silence before it."""
    start = first_sample(verse) / SAMPLE_RATE
    stop = verse.tones[-1].stop + LEAD_OUT
    spans = spans_of(list(verse.syllables))
    sound = np.zeros(int((stop - start) * SAMPLE_RATE) + RESPONSE, dtype=np.float32)
    times = steps(start, stop)
    level = _level(spans, bank, times) * _edges(spans, times)
    hertz = pitch_curve(list(verse.tones), take, start, stop, rng)
    _add_periods(sound, spans, bank, times, level, hertz)
    _add_air(sound, spans, bank, times, level, take, rng)
    for span in spans:
        if not span.voiced:
            _add_noise(sound, span, noises, start, float(np.interp(span.start, times, level)))
    if rested > BREATH_REST:
        _add_breath(sound, spans[0].start - start, rng)
    return np.asarray(signal.sosfilt(_RUMBLE, sound), dtype=np.float32)


def _level(spans: tuple[Span, ...], bank: Voiced, times: Doubles) -> Doubles:
    """Return the gain at each time: the note's velocity, and vowels brought halfway to one loudness."""
    held = [span for span in spans if span.held]
    loud = np.array([_loudness(bank, span) for span in held])
    even = np.clip((np.median(loud) / np.maximum(loud, 1e-6)) ** EVENNESS, 0.5, 2.0)
    gains = even * np.array([10 ** ((span.velocity - 96) / 127 * 0.5) for span in held])
    knots = np.array([(span.start, span.stop) for span in held]).ravel()
    return np.asarray(np.interp(times, knots, np.repeat(gains, 2)))


def _loudness(bank: Voiced, span: Span) -> float:
    first = int(span.source / HOP)
    return float(np.mean(bank.loudness[first : max(first + 1, int((span.source + span.spoken) / HOP))]))


def _edges(spans: tuple[Span, ...], times: Doubles) -> Doubles:
    """Return a gain that rises where the voice sets in and falls where it ends: 1.0 in between, 0.0 in the pauses."""
    gains = np.zeros(times.size)
    for group in _groups(spans):
        # A consonant at either end is an attack or a release of its own.
        attack = ATTACK if group[0].held else FADE
        release = RELEASE if group[-1].held else FADE
        rise = np.clip((times - group[0].start + FADE) / attack, 0, 1)
        fall = np.clip((group[-1].stop + FADE - times) / release, 0, 1)
        np.maximum(gains, rise * fall, out=gains)
    return gains


def _groups(spans: tuple[Span, ...]) -> list[list[Span]]:
    groups = [[spans[0]]]
    for before, span in pairwise(spans):
        if span.start - before.stop > TOUCHING:
            groups.append([])
        groups[-1].append(span)
    return groups


def _add_periods(
    sound: Floats, spans: tuple[Span, ...], bank: Voiced, times: Doubles, level: Doubles, hertz: Doubles
) -> None:
    """Add one response for each period of the voiced sounds."""
    turns = np.concatenate(([0.0], np.cumsum((hertz[1:] + hertz[:-1]) * (0.5 * STEP))))
    periods = np.interp(np.arange(1, int(turns[-1])), turns, times)
    loud = np.interp(periods, times, level) * np.sqrt(PITCH / np.interp(periods, times, hertz))
    for span in spans:
        if not span.voiced:
            continue
        first, last = np.searchsorted(periods, (span.start, span.stop))
        mine = periods[first:last]
        frames = places_in_speech(span, mine) / HOP
        if span.held:
            loud[first:last] *= _flattened(bank, span, frames)
        samples = np.round((mine - times[0]) * SAMPLE_RATE).astype(np.intp)
        for place, frame, gain in zip(samples.tolist(), frames.tolist(), loud[first:last].tolist(), strict=True):
            left = min(int(frame), bank.responses.shape[0] - 2)
            part = frame - left
            piece = sound[place : place + RESPONSE]
            piece += np.float32(gain * (1 - part)) * bank.responses[left]
            piece += np.float32(gain * part) * bank.responses[left + 1]


def _flattened(bank: Voiced, span: Span, frames: Doubles) -> Doubles:
    """Return a held vowel's gains: a spoken one swells for 70 ms, a sung one is there and fades slowly."""
    begin, end = int(span.source / HOP), max(int(span.source / HOP) + 1, int((span.source + span.spoken) / HOP))
    loud = bank.loudness[begin:end]
    full = float(np.percentile(loud, 80))
    gains = np.clip(full / np.maximum(loud, 1e-9), 1 / MOST_LIFT, MOST_LIFT) ** FLATNESS
    # The closure before a stop is part of the vowel before it, and stays silent.
    gains[loud < CLOSED * full] = 1.0
    # What opens before the vowel is the consonant's own, and its last noise reaches into it.
    gains[: int((span.phone.start / RATE + LIFTED_AFTER) / HOP) - begin] = 1.0
    since = np.linspace(0, span.length, frames.size)
    fallen = np.minimum(FALL_PER_SECOND * np.maximum(0, since - FALLS_AFTER), MOST_FALL)
    return np.asarray(np.interp(frames, begin + np.arange(loud.size), gains) * 10 ** (-fallen / 20), dtype=np.float64)


def _add_noise(sound: Floats, span: Span, noises: Floats, start: float, gain: float) -> None:
    """Add a sound without pitch as it was spoken; one that has to be shorter loses its silence, or else its end."""
    count = int((span.length + 2 * FADE) * SAMPLE_RATE)
    begin = span.source + span.spoken - span.length if is_stop(span.phone.name) else span.source
    source = max(0, int((begin - FADE) * SAMPLE_RATE))
    place = int((span.start - FADE - start) * SAMPLE_RATE)
    if place < 0:
        source, count, place = source - place, count + place, 0
    piece = noises[source : source + min(count, sound.size - place)]
    if piece.size < 8:
        return
    ramp = np.minimum(1, np.arange(1, piece.size + 1) / (2 * FADE * SAMPLE_RATE)).astype(np.float32)
    sound[place : place + piece.size] += piece * ramp * ramp[::-1] * np.float32(CONSONANTS * gain)


def _add_air(
    sound: Floats,
    spans: tuple[Span, ...],
    bank: Voiced,
    times: Doubles,
    level: Doubles,
    take: Take,
    rng: np.random.Generator,
) -> None:
    """Add the breath that is heard in every vowel."""
    vowels = np.zeros(times.size)
    for span in spans:
        # A hum has its mouth closed.
        if span.held and is_nucleus(span.phone.name):
            vowels[(times >= span.start) & (times < span.stop)] = _loudness(bank, span) * np.sqrt(PITCH / SAMPLE_RATE)
    soft = signal.sosfiltfilt(_GENTLE, vowels * level) * 10 ** (take.kind.breath / 20)
    curve = np.interp(np.arange(sound.size) / SAMPLE_RATE, times - times[0], soft).astype(np.float32)
    sound += curve * _noise(sound.size, rng)


def _add_breath(sound: Floats, ends: float, rng: np.random.Generator) -> None:
    """Add a breath drawn before the first sound at `ends` seconds."""
    count = int(BREATH_SECONDS * SAMPLE_RATE)
    last = int((ends - 0.03) * SAMPLE_RATE)
    if last < count:
        return
    shape = signal.windows.tukey(count, 0.8) * np.linspace(0.4, 1, count)
    sound[last - count : last] += (BREATH_LEVEL * shape).astype(np.float32) * _noise(count, rng)


def _noise(count: int, rng: np.random.Generator) -> Floats:
    """Return `count` samples of air from a random place of one long breath, repeated where it is too short."""
    air = _air()
    return np.resize(np.roll(air, -int(rng.integers(air.size))), count)


@lru_cache(maxsize=1)
def _air() -> NDArray[np.float32]:
    white = np.random.default_rng(1).standard_normal(8 * SAMPLE_RATE)
    shaped = signal.sosfilt(signal.butter(1, (1500, 9000), "bandpass", fs=SAMPLE_RATE, output="sos"), white)
    return np.asarray(shaped / np.std(shaped), dtype=np.float32)


# Below the lowest note there is only rumble and DC.
_RUMBLE = signal.butter(2, 65, "highpass", fs=SAMPLE_RATE, output="sos")
_GENTLE = signal.butter(1, 15, "lowpass", fs=1 / STEP, output="sos")
