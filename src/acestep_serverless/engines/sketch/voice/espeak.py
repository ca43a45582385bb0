"""How do words become speech? eSpeak NG speaks a line in an even voice and says when each phoneme begins.

eSpeak NG is one machine per process: one voice, one utterance at a time, so a lock lets callers in one by one (a line
takes 5 to 15 ms). Its noise is seeded and its pitch held at PITCH before each line. Its voice also keeps the sign of
its last period: the same line begins with either sign, depending on what was said before. A probe word flips that sign,
so it is said until the sign is that of a new process: the same line is the same samples, whatever came before.
"""

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.errors import EngineUnavailable

RATE = 22_050
"""Samples per second of what eSpeak NG says."""
PITCH = 100
"""The pitch of its voice in Hz: low, so that many harmonics draw the vowels' shapes."""
SPEED = 120
"""Words per minute."""
LONGEST_TEXT = 600
"""Characters of a line that are read; ACE-Step's longest lyrics are 4,096."""

Samples = NDArray[np.int16]

# espeak_ng/speak_lib.h: output to the caller, events for phonemes, names as IPA, never exit the process.
_SYNCHRONOUS, _PHONEME_EVENTS, _IPA, _DONT_EXIT = 2, 1, 2, 0x8000
_LIST_END, _WORD, _PHONEME = 0, 1, 7
_SPEED, _RANGE = 1, 4
_UTF8 = 1
_PROBE = "oh"
# Said between two probes until one of them, or the probe itself, flips the sign: which ones do depends on SPEED.
_FLIPS = ("", "ma", "oh", "hello", "you", "two")


class _Name(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    """espeak_EVENT of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Name),
    )


_Hear = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Phone:
    """One phoneme as spoken: its IPA name ("" is a pause), its samples `[start, stop)`, and the word it belongs to.

    `stress` is 0 none, 1 secondary, 2 primary; `word` is the character of the text at which the word begins.
    """

    name: str
    start: int
    stop: int
    stress: int
    word: int


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """A spoken line: `[samples]` int16 at RATE and its phonemes in order."""

    samples: Samples
    phones: tuple[Phone, ...]


class _Machine:
    """The process's eSpeak NG. Every call runs under one lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: Any = None
        self._sound: list[Samples] = []
        self._events: list[tuple[int, int, int, str]] = []
        # ctypes needs the callback object alive for as long as the library may call it.
        self._heard: Callable[..., int] = _Hear(self._hear)
        self._sign = b""

    def speak(self, text: str, voice: str) -> Speech:
        """Speak `text` in an eSpeak NG voice."""
        with self._lock:
            if self._library is None:
                self._open()
            for flip in _FLIPS:
                if self._say(_PROBE, "en-us").tobytes() == self._sign:
                    break
                if flip:
                    self._say(flip, "en-us")
            samples = self._say(text, voice)
            return Speech(samples, _phones(self._events, samples.size))

    def _open(self) -> None:
        try:
            # Whoever makes songs without words can do without the package.
            import espeakng_loader

            library = ctypes.CDLL(espeakng_loader.get_library_path())
        except (ImportError, OSError) as problem:
            raise EngineUnavailable(f"lyrics need eSpeak NG: pip install espeakng-loader ({problem})") from problem
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_ng_SetRandSeed.argtypes = [ctypes.c_long]
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int,
            ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        data = espeakng_loader.get_data_path().encode()
        rate = library.espeak_Initialize(_SYNCHRONOUS, 200, data, _PHONEME_EVENTS | _IPA | _DONT_EXIT)
        if rate != RATE:
            raise EngineUnavailable(f"eSpeak NG answers {rate} to its start, not {RATE} samples per second")
        library.espeak_SetSynthCallback(self._heard)
        self._library = library
        self._sign = self._say(_PROBE, "en-us").tobytes()

    def _say(self, text: str, voice: str) -> Samples:
        library = self._library
        self._sound, self._events = [], []
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise EngineUnavailable(f"eSpeak NG has no voice {voice}: its data is not that of espeakng-loader")
        library.espeak_SetParameter(_SPEED, SPEED, 0)
        library.espeak_SetParameter(_RANGE, 0, 0)
        library.espeak_ng_SetRandSeed(1)
        library.espeak_ng_SetConstF0(PITCH)
        said = text.encode("utf-8", "ignore")
        library.espeak_Synth(said, len(said) + 1, 0, 0, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        return np.concatenate(self._sound) if self._sound else np.zeros(0, dtype=np.int16)

    def _hear(self, wave: Any, count: int, events: Any) -> int:
        """Take a piece of speech and its events (the library's callback): 0 asks for more."""
        if count > 0:
            self._sound.append(np.ctypeslib.as_array(wave, (count,)).copy())
        index = 0
        while events[index].type != _LIST_END:
            event = events[index]
            name = bytes(event.id.string).split(b"\0")[0].decode("utf-8", "ignore") if event.type == _PHONEME else ""
            self._events.append((event.type, event.sample, event.text_position, name))
            index += 1
        return 0


def _phones(events: list[tuple[int, int, int, str]], count: int) -> tuple[Phone, ...]:
    """Return the phonemes of a list of events; each ends where the next one begins."""
    word, begun = 0, []
    for kind, sample, position, name in events:
        if kind == _WORD:
            word = position - 1
        elif kind == _PHONEME:
            begun.append((name, min(sample, count), word))
    ends = [start for _, start, _ in begun[1:]] + [count]
    return tuple(
        Phone(_named(name), start, max(start, stop), _stress(name), word)
        for (name, start, word), stop in zip(begun, ends, strict=True)
    )


def _stress(name: str) -> int:
    return 2 if "\u02c8" in name else 1 if "\u02cc" in name else 0


def _named(name: str) -> str:
    """Return the phoneme without stress marks and without eSpeak NG's notes of a change of language, "(en)"."""
    return "" if name.startswith("(") else name.strip("\u02c8\u02cc.")


_MACHINE = _Machine()


# 25 MB at most: as many lines of 4 s as the longest lyrics have.
@lru_cache(maxsize=160)
def speak(text: str, voice: str) -> Speech:
    """Return `text`, at most LONGEST_TEXT characters of it, spoken in an eSpeak NG voice. The last lines are kept."""
    return _MACHINE.speak(text[:LONGEST_TEXT], voice)
