"""What do public listeners hear in a song? Tempo from librosa's beat tracker, key from chroma, features of its sound.

Sound is mono at 22,050 Hz here, which is what librosa's own defaults are made for.
"""

from dataclasses import dataclass
from functools import cache

import librosa
import numpy as np
import soxr
from numpy.typing import NDArray

RATE, HOP = 22_050, 256
"""A hop of 11.6 ms: with librosa's usual 23 ms the grid of tempos is coarser than 4 % above 150 bpm."""
TOLERANCE = 0.04
LOWEST, OCTAVES = librosa.note_to_hz("C2"), 6
"""Where keys are heard: below 65 Hz lies the kick drum, whose pitch is nobody's key."""
BEATS_APART = 8
"""Beats over which an interval is measured, so that the hop's own grid plays no part."""

# Krumhansl & Kessler (1982), probe tone ratings from the tonic upwards.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
PITCHES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11, "#": 1, "b": -1, "♯": 1, "♭": -1}

Mono = NDArray[np.float32]
FEATURES = (
    "onsets_per_second",
    "onset_strength",
    "onset_peaks",
    "centroid",
    "centroid_spread",
    "rolloff",
    "flatness",
    "low_share",
    "high_share",
    "zero_crossings",
    "percussive_share",
    "loudness_range",
)
"""Onset, brightness and density of a song; nothing that names its key or its melody."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the listeners say: bpm (0.0: no beat), tonic (0 is C) and mode, and FEATURES in their order."""

    bpm: float
    tonic: int
    mode: str
    features: tuple[float, ...]


def mono(samples: NDArray[np.float32], rate: int) -> Mono:
    """Return `[channels, samples]` at `rate` as one channel at RATE."""
    return np.asarray(soxr.resample(samples.mean(axis=0), rate, RATE), dtype=np.float32)


def listen(sound: Mono) -> Heard:
    """Hear a song: mono at RATE."""
    onsets = librosa.onset.onset_strength(y=sound, sr=RATE, hop_length=HOP)
    tonic, mode = key_of(chroma_of(sound))
    return Heard(tempo_of(onsets), tonic, mode, features_of(sound, onsets))


def tempo_of(onsets: NDArray[np.float32]) -> float:
    """Return the tempo of librosa's beats in beats per minute, the median over stretches of eight; 0.0 for none."""
    _, frames = librosa.beat.beat_track(onset_envelope=onsets, sr=RATE, hop_length=HOP)
    times = librosa.frames_to_time(frames, sr=RATE, hop_length=HOP)
    apart = min(BEATS_APART, len(times) - 1)
    if apart < 1:
        return 0.0
    return float(60 * apart / np.median(times[apart:] - times[:-apart]))


def tempo_agrees(heard: float, bpm: float, meter: str) -> bool:
    """Tell whether a tempo is within 4 % of `bpm`, an octave up or down; in 6/8, where bpm counts quarter notes, the
    dotted quarter that people tap is a beat as well."""
    beats = (bpm, bpm / 1.5) if meter == "6" else (bpm,)
    return any(abs(heard / (beat * octave) - 1) <= TOLERANCE for beat in beats for octave in (0.5, 1, 2))


def chroma_of(sound: Mono) -> NDArray[np.float64]:
    """Return the mean energy of the 12 pitch classes of the harmonic part, C first."""
    harmonic = librosa.effects.harmonic(sound, margin=2.0)
    heard = {"hop_length": 2048, "fmin": LOWEST, "n_octaves": OCTAVES, "tuning": 0.0}
    return np.asarray(librosa.feature.chroma_cqt(y=harmonic, sr=RATE, **heard).mean(axis=1))


@cache
def _profiles() -> NDArray[np.float64]:
    """The 24 rotated profiles, standardised: majors from C, then minors from C."""
    rows = np.array([np.roll(profile, tonic) for profile in (MAJOR, MINOR) for tonic in range(12)])
    return (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)


def key_of(chroma: NDArray[np.float64]) -> tuple[int, str]:
    """Return tonic and mode whose profile fits the chroma best (Krumhansl & Schmuckler)."""
    best = int(np.argmax(_profiles() @ (chroma - chroma.mean())))
    return best % 12, "major" if best < 12 else "minor"


def key_agrees(tonic: int, mode: str, key_scale: str) -> bool:
    """Tell whether a key is that of `key_scale` ("F# minor"), or its relative."""
    name, own_mode = key_scale.split(" ", 1)
    own = sum(PITCHES[letter] for letter in name) % 12
    relative = (own + (9 if own_mode == "major" else 3)) % 12
    return (tonic, mode) == (own, own_mode) or (tonic == relative and mode != own_mode)


def features_of(sound: Mono, onsets: NDArray[np.float32]) -> tuple[float, ...]:
    """Return FEATURES of a song."""
    power = np.abs(librosa.stft(sound, n_fft=2048, hop_length=1024)) ** 2
    magnitude, bands = np.sqrt(power), librosa.fft_frequencies(sr=RATE, n_fft=2048)
    total = float(power.sum()) or 1.0
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=RATE)
    _, percussive = librosa.decompose.hpss(magnitude)
    hits = librosa.onset.onset_detect(onset_envelope=onsets, sr=RATE, hop_length=HOP)
    levels = 10 * np.log10(power.sum(axis=0) + 1e-9)
    return (
        len(hits) / (len(sound) / RATE),
        float(onsets.mean()),
        float(np.percentile(onsets, 98)),
        float(centroid.mean()),
        float(centroid.std()),
        float(librosa.feature.spectral_rolloff(S=magnitude, sr=RATE).mean()),
        float(np.log10(librosa.feature.spectral_flatness(S=magnitude).mean() + 1e-9)),
        float(power[bands < 150].sum()) / total,
        float(np.log10(power[bands > 4000].sum() / total + 1e-9)),
        float(librosa.feature.zero_crossing_rate(sound).mean()),
        float((percussive**2).sum()) / total,
        float(np.percentile(levels, 95) - np.percentile(levels, 20)),
    )
