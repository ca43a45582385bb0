"""How is one parameter of the ACE-Step REST API read? JSON values and form texts become typed values, or are refused.

Every reader takes a value that is neither null nor blank text (a reader of texts takes blanks too), returns the typed
value, or raises Misread, whose text completes the sentence "FIELD: ... ". Upstream replaces what it cannot read by
the default without a word; here a number that is none is an error that names the field. What upstream, or a server
that means it as well, would have read instead stands in the error, for whoever wants the lenient reading.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from acestep_serverless.contract.music_shown import printable

Reader = Callable[[Any], object]

TRUE_WORDS = frozenset({"1", "true", "yes", "y", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "n", "off"})
SEED_MAXIMUM = 4_294_967_295

_KEY = re.compile(r"([A-Ga-g])\s*([#b♯♭]?)\s*(major|minor|maj|min|m|M)?", re.ASCII)
_MINOR_WORDS = frozenset({"minor", "min", "m"})
_TIME_SIGNATURES = {"2": "2", "3": "3", "4": "4", "6": "6", "2/4": "2", "3/4": "3", "4/4": "4", "6/8": "6"}
_TRACKS = "woodwinds brass fx synth strings percussion keyboard guitar bass drums backing_vocals vocals"
TRACKS = tuple(_TRACKS.split())
"""The tracks that the model knows by name."""
TIME_SIGNATURES = ("2", "3", "4", "6")
"""What `time_signature` gives: beats in a bar."""
MOST_TIMESTEPS = 200
MOST_WORDS = 100
"""Entries of a list, and of a text with commas, that are looked at."""
_DIGITS_READ = 40


class _Default:
    """What is read instead of a value that says nothing: the parameter's default."""


DEFAULT = _Default()


class Misread(ValueError):
    """A value that is not allowed; `instead` is what the lenient reading makes of it, DEFAULT for the default."""

    def __init__(self, allowed: str, instead: object = DEFAULT) -> None:
        super().__init__(allowed)
        self.instead = instead


def switch(value: Any) -> bool:
    """Read true or false, 1 or 0, or one of upstream's words for them in any case."""
    word = str(value).strip().lower() if isinstance(value, str | bool | int) else ""
    if word in TRUE_WORDS or word in FALSE_WORDS:
        return word in TRUE_WORDS
    raise Misread("must be true or false", instead=False)


def polish(value: Any) -> bool:
    """As `switch`; the parameter is also called `format`, where callers look for that of the file."""
    try:
        return switch(value)
    except Misread:
        raise Misread("must be true or false (the file format is `audio_format`)", instead=False) from None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A reader of numbers from `least` to `most`; a number in `also` is read as `meaning`."""

    least: float
    most: float
    also: tuple[float, ...] = ()
    meaning: object = None

    def __call__(self, value: Any) -> object:
        """Read one number. Raises Misread."""
        given = _float(value)
        if given in self.also:
            return self.meaning
        if given is None or not self.least <= given <= self.most:
            allowed = f"must be a number from {self.least:,.9g} to {self.most:,.9g}"
            raise Misread(allowed, _nearest(given, self.least, self.most))
        return given


def number(least: float, most: float, *, also: tuple[float, ...] = (), meaning: object = None) -> Numbers:
    """Make a reader of numbers from `least` to `most`; a number in `also` is read as `meaning`."""
    return Numbers(least, most, also, meaning)


@dataclass(frozen=True, slots=True)
class Wholes:
    """A reader of whole numbers from `least` to `most`; 30.0 and "30" are 30."""

    least: int
    most: int

    def __call__(self, value: Any) -> int:
        """Read one whole number. Raises Misread."""
        given = _whole(value)
        if given is None or not self.least <= given <= self.most:
            allowed = f"must be a whole number from {self.least:,} to {self.most:,}"
            raise Misread(allowed, _nearest(given, self.least, self.most))
        return given


def whole(least: int, most: int) -> Wholes:
    """Make a reader of whole numbers from `least` to `most`; 30.0 and "30" are 30."""
    return Wholes(least, most)


def text(value: Any) -> str:
    """Read a text, or a number as its text (as upstream does). Line ends become "\\n"."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Misread("must be a text")
    given = value if isinstance(value, str) else _number_text(value)
    if printable(given) != given:
        raise Misread("must hold whole Unicode characters, no lone surrogates", printable(given))
    return given.replace("\r\n", "\n")


@dataclass(frozen=True, slots=True)
class Choice:
    """A reader of one word out of `allowed`, in any case."""

    allowed: tuple[str, ...]

    def __call__(self, value: Any) -> str:
        """Read one word. Raises Misread."""
        given = value.strip().lower() if isinstance(value, str) else ""
        word = next((word for word in self.allowed if word.lower() == given), None)
        if word is None:
            raise Misread(f"must be one of {', '.join(self.allowed)}")
        return word


def choice(*allowed: str) -> Choice:
    """Make a reader of one word out of `allowed`, in any case."""
    return Choice(allowed)


def track(value: Any) -> str:
    """Read one of the model's tracks; "Backing Vocals" and "backing-vocals" are backing_vocals."""
    word = "_".join(value.replace("-", " ").split()).lower() if isinstance(value, str) else ""
    if word not in TRACKS:
        raise Misread(f"must be one of {', '.join(TRACKS)}")
    return word


def tracks(value: Any) -> tuple[str, ...]:
    """Read a list of tracks, or one text with commas or bars between them, as a tuple without repetitions."""
    given = value.replace("|", ",").split(",", MOST_WORDS) if isinstance(value, str) else value
    if not isinstance(given, list) or len(given) > MOST_WORDS:
        raise Misread(f"must be a list of {', '.join(TRACKS)}")
    return tuple(dict.fromkeys(track(word) for word in given))


def timesteps(value: Any) -> tuple[float, ...]:
    """Read falling noise levels from 1 to 0, as a list or as "0.97,0.76,..."; at most MOST_TIMESTEPS."""
    given = value.split(",") if isinstance(value, str) else value
    levels = [_float(level) for level in given[: MOST_TIMESTEPS + 1]] if isinstance(given, list) else []
    steps = tuple(level for level in levels if level is not None and 0 <= level <= 1)
    falling = all(later < earlier for earlier, later in pairwise(steps))
    if not falling or not 1 <= len(steps) == len(levels) <= MOST_TIMESTEPS:
        raise Misread(f"must hold 1 to {MOST_TIMESTEPS} numbers from 1 to 0, each below the one before it")
    return steps


def seeds(value: Any) -> tuple[int | None, ...]:
    """Read one seed, a list of seeds, or "1,2,3"; -1 and an empty place ask for a random one (None)."""
    given = value.split(",", MOST_WORDS) if isinstance(value, str) else value if isinstance(value, list) else [value]
    if len(given) > MOST_WORDS:
        raise Misread(f"must hold at most {MOST_WORDS} seeds")
    return tuple(_seed(seed) for seed in given)


def key_scale(value: Any) -> str:
    """Read "C# minor", "Am", "bb Major" ... as `<A-G><""|#|b> <major|minor>` (the language model's spelling)."""
    given = value.strip() if isinstance(value, str) and len(value) <= _DIGITS_READ else ""
    match = _KEY.fullmatch(given) or _KEY.fullmatch(given[:1] + given[1:].lower())
    if match is None:
        raise Misread('must be a note and a mode such as "C major", "F# minor" or "Bb major"')
    note, accidental, mode = match.groups()
    sign = accidental.replace("♯", "#").replace("♭", "b")
    return f"{note.upper()}{sign} {'minor' if mode in _MINOR_WORDS else 'major'}"


def time_signature(value: Any) -> str:
    """Read 2, 3, 4 or 6, also written 2/4, 3/4, 4/4 and 6/8."""
    given = str(_whole(value)) if _whole(value) is not None else str(value).strip()[:_DIGITS_READ]
    if given not in _TIME_SIGNATURES:
        raise Misread("must be 2, 3, 4 or 6 (2/4, 3/4, 4/4, 6/8)")
    return _TIME_SIGNATURES[given]


def _seed(value: Any) -> int | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    given = _whole(value)
    if given is None or not -1 <= given <= SEED_MAXIMUM:
        raise Misread(f"must hold whole numbers from 0 to {SEED_MAXIMUM:,}, or -1 for a random one")
    return None if given == -1 else given


def _nearest(given: float | None, least: float, most: float) -> object:
    """The allowed number that is nearest to one beyond the range; DEFAULT for what is no number."""
    if given is None or (isinstance(given, float) and math.isnan(given)):
        return DEFAULT
    return least if given < least else most


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    given = _float(value)
    return int(given) if given is not None and given.is_integer() else None


def _float(value: Any) -> float | None:
    """A number, or None; integers beyond the range of floats and very long texts are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and len(value) > _DIGITS_READ:
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _number_text(value: float) -> str:
    """The number as text; Python refuses to print integers of more than 4,300 digits, so those are no text."""
    try:
        return str(value)
    except ValueError:
        raise Misread("must be a text") from None
