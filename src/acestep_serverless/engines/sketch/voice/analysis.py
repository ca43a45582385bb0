"""How does each moment of a spoken line sound, freed of its pitch? A bank of responses, one for every 5 ms.

The envelope is that of CheapTrick (Morise, "CheapTrick, a spectral envelope estimator for high-quality speech
synthesis", 2015): the power spectrum under a window of three periods, smoothed over two thirds of the pitch, its ripple
at the pitch and the blur of the smoothing taken out of the cepstrum. The pitch is known and constant, so all frames are
one batch. An envelope becomes the sound of one period by its minimum phase: such responses, added at a melody's
periods, sing. This takes a tenth of the time of WORLD itself, which also holds the interpreter while it computes.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft, signal

from acestep_serverless.audio.clip import SAMPLE_RATE
from acestep_serverless.engines.sketch.voice.espeak import PITCH, RATE, Speech
from acestep_serverless.engines.sketch.voice.kinds import Kind
from acestep_serverless.engines.sketch.voice.phonemes import is_voiced

Floats = NDArray[np.float32]

HOP = 0.005
"""Seconds between two responses."""
RESPONSE = 1024
"""Samples of a response at 48 kHz: 21 ms, after which a vowel has died away."""

_WIDTH = 1024  # of the transform of speech at 22,050 Hz
_BINS = 2048  # of the transform at 48 kHz
_QUEFRENCIES = np.arange(_WIDTH // 2 + 1) / RATE
_SMOOTH = np.sinc(PITCH * _QUEFRENCIES)
# CheapTrick's q1 = -0.15 recovers what the smoothing blurred.
_LIFTER = (_SMOOTH * (1.3 - 0.3 * np.cos(2 * np.pi * PITCH * _QUEFRENCIES))).astype(np.float32)
# eSpeak NG's sound ends below 11 kHz; its last kHz are not to be trusted.
_TOP, _FALL = 10_000.0, -9.0  # Hz, dB per octave above
_FLOOR = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Voiced:
    """What can be sung of a line: `responses[frame]` at 48 kHz, `[frames, RESPONSE]`, one each HOP seconds from 0."""

    responses: Floats
    loudness: Floats


def envelopes(samples: Floats) -> Floats:
    """Return the log power envelope of speech at PITCH, one each HOP: `[frames, _WIDTH / 2 + 1]`."""
    length = round(3 * RATE / PITCH)
    window = signal.windows.hann(length).astype(np.float32)
    window /= np.sqrt(np.sum(window**2))
    frames = int(samples.size / RATE / HOP) + 1
    centres = np.round(np.arange(frames) * HOP * RATE).astype(np.intp)
    padded = np.concatenate((np.zeros(length // 2, np.float32), samples, np.zeros(length, np.float32)))
    cut = padded[centres[:, None] + np.arange(length)[None, :]] * window
    power = np.abs(fft.rfft(cut, _WIDTH, axis=1)) ** 2 + np.float32(_FLOOR)
    return _recovered(_smoothed(power))


def _smoothed(power: Floats) -> Floats:
    """Average each spectrum over two thirds of the pitch."""
    reach = PITCH / 3 * _WIDTH / RATE
    edge = int(np.ceil(reach)) + 1
    mirrored = np.concatenate((power[:, edge:0:-1], power, power[:, -2 : -edge - 2 : -1]), axis=1)
    summed = np.concatenate((np.zeros((power.shape[0], 1)), np.cumsum(mirrored, axis=1, dtype=np.float64)), axis=1)

    def area(places: NDArray[np.float64]) -> NDArray[np.float64]:
        left = np.floor(places).astype(np.intp)
        part = places - left
        return np.asarray(summed[:, left] * (1 - part) + summed[:, left + 1] * part, dtype=np.float64)

    places = np.arange(power.shape[1], dtype=np.float64) + edge + 0.5
    return np.asarray((area(places + reach) - area(places - reach)) / (2 * reach), dtype=np.float32)


def _recovered(power: Floats) -> Floats:
    cepstrum = fft.irfft(np.log(power), _WIDTH, axis=1)[:, : _WIDTH // 2 + 1]
    cepstrum *= _LIFTER
    cepstrum[:, 1:-1] *= 2
    return np.asarray(fft.rfft(_folded(cepstrum, _WIDTH), _WIDTH, axis=1).real, dtype=np.float32)


def _folded(cepstrum: Floats, width: int) -> Floats:
    full = np.zeros((cepstrum.shape[0], width), dtype=np.float32)
    full[:, : cepstrum.shape[1]] = cepstrum
    return full


def responses(logs: Floats, kind: Kind) -> Floats:
    """Return the minimum-phase response at 48 kHz of each log power envelope, its formants moved to `kind`'s."""
    hertz = np.arange(_BINS // 2 + 1) * SAMPLE_RATE / _BINS
    source = np.minimum(hertz / kind.formants, _TOP) * _WIDTH / RATE
    left = np.floor(source).astype(np.intp)
    part = (source - left).astype(np.float32)
    moved = logs[:, left] * (1 - part) + logs[:, left + 1] * part
    octaves_up = np.log2(np.maximum(hertz, 1000) / 1000)
    beyond = np.log2(np.maximum(hertz / kind.formants, _TOP) / _TOP)
    decibels = kind.tilt * np.minimum(octaves_up, 3.3) + _FALL * beyond
    moved = 0.5 * moved + (decibels * np.log(10) / 20).astype(np.float32)
    cepstrum = fft.irfft(moved, _BINS, axis=1)[:, : _BINS // 2 + 1]
    cepstrum[:, 1:-1] *= 2
    logarithm = fft.rfft(_folded(cepstrum, _BINS), _BINS, axis=1)
    # A complex exp() takes five times as long as these three.
    size, angle = np.exp(logarithm.real), logarithm.imag
    spectrum = np.empty_like(logarithm)
    spectrum.real, spectrum.imag = size * np.cos(angle), size * np.sin(angle)
    periods = np.asarray(fft.irfft(spectrum, _BINS, axis=1)[:, :RESPONSE], dtype=np.float32)
    periods[:, -RESPONSE // 4 :] *= signal.windows.hann(RESPONSE // 2)[-RESPONSE // 4 :].astype(np.float32)
    return periods * np.float32(SAMPLE_RATE / RATE * np.sqrt(RATE / PITCH))


def voiced(speech: Speech, kind: Kind) -> Voiced:
    """Return the bank of responses of a spoken line for a kind of voice; it is silent where the line has no pitch."""
    logs = envelopes(full_scale(speech))
    needed = np.zeros(logs.shape[0], dtype=np.bool_)
    for phone in speech.phones:
        if is_voiced(phone.name):
            needed[int(phone.start / RATE / HOP) : int(phone.stop / RATE / HOP) + 2] = True
    bank = np.zeros((logs.shape[0], RESPONSE), dtype=np.float32)
    bank[needed] = responses(logs[needed], kind)
    return Voiced(bank, np.sqrt(np.einsum("ij,ij->i", bank, bank)))


def full_scale(speech: Speech) -> Floats:
    """Return speech as float32 of full scale 1.0."""
    return speech.samples.astype(np.float32) / np.float32(32_768)


def noises(speech: Speech) -> Floats:
    """Return the spoken line at 48 kHz, `[samples]`, with air above 10 kHz: for the sounds that have no pitch."""
    samples = full_scale(speech)
    whole = np.asarray(soxr.resample(samples, RATE, SAMPLE_RATE, quality="HQ"), dtype=np.float32)
    treble = signal.sosfilt(_SHARP, whole).astype(np.float32)
    loud = np.sqrt(np.maximum(signal.sosfilt(_SLOW, treble**2), 0))
    air = signal.sosfilt(_AIR, np.random.default_rng(samples.size).standard_normal(whole.size))
    return np.asarray(whole + np.float32(0.5) * loud * air, dtype=np.float32)


_SHARP = signal.butter(4, 4000, "highpass", fs=SAMPLE_RATE, output="sos")
_SLOW = signal.butter(1, 80, "lowpass", fs=SAMPLE_RATE, output="sos")
_AIR = signal.butter(4, (9500, 16_000), "bandpass", fs=SAMPLE_RATE, output="sos")
