"""How does an error say what it was given? Any JSON value in at most 80 characters, whatever its size or depth.

Nothing here walks into a container or prints a long integer: a document nested 100,000 levels deep would exhaust the
stack, and Python refuses to print integers of more than 4,300 digits.
"""

import json
import math

LONGEST = 80
"""Characters in the longest text that `shown` returns."""

_STRING_KEPT = 40
_BITS_PRINTED = 128


def shown(value: object) -> str:
    """Return `value` as JSON would spell it, or its kind and size where that is longer than `LONGEST` characters."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, dict):
        return f"an object of {_counted(len(value), 'field')}"
    if isinstance(value, list | tuple):
        return f"an array of {_counted(len(value), 'item')}"
    return f"a value of type {type(value).__name__}"[:LONGEST]


def printable(text: str) -> str:
    """Return `text` with lone surrogates spelled out (`\\ud800`): without them UTF-8 can carry it."""
    if text.isascii():  # known without looking: megabytes of base64 pass through here
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _string(value: str) -> str:
    quoted = printable(json.dumps(value[:LONGEST], ensure_ascii=False))
    if len(value) <= LONGEST and len(quoted) <= LONGEST:
        return quoted
    start = printable(json.dumps(value[:_STRING_KEPT], ensure_ascii=False))[:_STRING_KEPT].rstrip("\\")
    return f'{start}..." ({len(value):,} characters)'


def _integer(value: int) -> str:
    if value.bit_length() <= _BITS_PRINTED:
        return str(value)
    digits = int(value.bit_length() * math.log10(2)) + 1
    return f"{'a negative' if value < 0 else 'an'} integer of about {digits:,} digits"


def _float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
