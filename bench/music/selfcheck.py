"""Do the measures measure? Sounds whose tempo, key and faults are known, through the same functions as the songs."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from bench.music.cleanness import clicks, silences, true_peak
from bench.music.listening import (
    RATE,
    Mono,
    chroma_of,
    key_agrees,
    key_of,
    listen,
    tempo_agrees,
)

Check = tuple[str, Callable[[], bool]]
C_MAJOR, A_FLAT_MAJOR = (60, 62, 64, 65, 67, 69, 71, 72), (56, 58, 60, 61, 63, 65, 67, 68)


def click_track(bpm: float, seconds: float = 20.0) -> Mono:
    """Short noises on every beat."""
    sound = np.zeros(int(seconds * RATE), dtype=np.float32)
    noise = np.random.default_rng(1).normal(0, 0.3, 400).astype(np.float32) * np.linspace(1, 0, 400, dtype=np.float32)
    for start in np.arange(0, len(sound) - 400, 60 / bpm * RATE).astype(int):
        sound[start : start + 400] += noise
    return sound


def scale(pitches: tuple[int, ...], rounds: int = 4) -> Mono:
    """A scale up and down, half a second a tone, with the tonic's chord at each end; tones have four partials."""
    notes = [(pitch,) for pitch in (*pitches, *pitches[::-1])]
    chord = (pitches[0], pitches[2], pitches[4])
    return np.concatenate([tone(chosen) for _ in range(rounds) for chosen in (chord, *notes, chord)])


def tone(pitches: tuple[int, ...], seconds: float = 0.5) -> Mono:
    """Tones together, MIDI numbers, dying away."""
    time = np.arange(int(seconds * RATE)) / RATE
    waves = [
        np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * partial * time) / partial
        for pitch in pitches
        for partial in (1, 2, 3, 4)
    ]
    return np.asarray(0.1 * sum(waves) * np.exp(-3 * time), dtype=np.float32)


def broken(at: float, seconds: float = 3.0) -> NDArray[np.float32]:
    """A sine in stereo that jumps at a moment."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = np.where(time < at, 0.0, np.pi / 2)
    return np.tile(np.asarray(0.3 * np.sin(2 * np.pi * 220 * time + phase), dtype=np.float32), (2, 1))


def holed(start: float, length: float) -> NDArray[np.float32]:
    """A sine in stereo with a hole."""
    sound = broken(99.0, 6.0)
    sound[:, int(start * RATE) : int((start + length) * RATE)] = 0
    return sound


def checks() -> Iterator[Check]:
    """Yield what must be true, in words."""
    for bpm in (72, 97, 120, 168):
        yield (
            f"clicks at {bpm} bpm are heard as such",
            lambda bpm=bpm: tempo_agrees(listen(click_track(bpm)).bpm, bpm, "4"),
        )
    yield "a third of a tempo is another tempo", lambda: not tempo_agrees(40, 120, "4")
    yield "dotted quarters are a beat of 6/8", lambda: tempo_agrees(80, 120, "6") and not tempo_agrees(80, 120, "4")
    yield "a scale of C major is in C major", lambda: key_of(chroma_of(scale(C_MAJOR))) == (0, "major")
    yield "a scale of Ab major is in Ab major", lambda: key_of(chroma_of(scale(A_FLAT_MAJOR))) == (8, "major")
    yield "A minor is the relative of C major", lambda: key_agrees(9, "minor", "C major")
    yield "F# minor is the relative of A major", lambda: key_agrees(9, "major", "F# minor")
    yield "the fifth is another key", lambda: not key_agrees(7, "major", "C major")
    yield "a jump is one click, where it is", lambda: _near(clicks(broken(1.234), RATE), 1.234)
    yield "a whole sine has no click", lambda: clicks(broken(99.0), RATE) == ()
    yield "strokes are no clicks", lambda: clicks(np.tile(_stroke(), (2, 1)), RATE) == ()
    yield "a hole of 2 s is a silence of 2 s", lambda: abs(silences(holed(2.0, 2.0), RATE)[0] - 2.0) < 0.11
    yield "what is silent at the end is the ending", lambda: abs(silences(holed(4.0, 2.0), RATE)[1] - 2.0) < 0.11
    yield "a sine of 0.3 peaks at -10.5 dBTP", lambda: abs(true_peak(broken(99.0)) + 10.46) < 0.1


def _stroke() -> Mono:
    """A snare's stroke: noise that sets in at once and dies away."""
    noise = np.random.default_rng(2).normal(0, 0.2, RATE) * np.exp(-np.arange(RATE) / (0.08 * RATE))
    return np.concatenate((np.zeros(RATE // 2), noise)).astype(np.float32)


def _near(times: tuple[float, ...], expected: float) -> bool:
    return len(times) == 1 and abs(times[0] - expected) < 0.001


def failures() -> list[str]:
    """Return the checks that do not hold."""
    return [words for words, holds in checks() if not holds()]
