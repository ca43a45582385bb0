"""Which bytes of a file does a `Range` header ask for? RFC 9110, 14.1.2 and 14.2, with nothing guessed."""

import re
from dataclasses import dataclass

from acestep_serverless.errors import FieldProblem, InputError

MOST_RANGES = 100
"""Ranges of one header: more of them cost more than the whole file would."""
ALLOWED = (
    "must be bytes=FIRST-LAST, bytes=FIRST- or bytes=-LENGTH, counted from 0 and FIRST not after LAST, or up to"
    f" {MOST_RANGES} of them with commas between"
)

_UNIT = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110's `token`: what a unit may look like that we do not know."""
_RANGE = re.compile(r"([0-9]*)-([0-9]*)")
_MOST_DIGITS = 18
_BEYOND = 10**_MOST_DIGITS
"""Stands for every number with more digits: no file is that long."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Bytes of a file from `first` to `last`, both included, counted from 0."""

    first: int
    last: int


def spans(header: str, size: int) -> tuple[Span, ...] | None:
    """Read a `Range` header for a file of `size` bytes: what it has of the ranges, in order, those that touch as one.

    None for a unit other than bytes, which is to be ignored (14.2); nothing when no range begins inside the file (416).
    Raises InputError for a header that is none.
    """
    unit, equals, listed = header.partition("=")
    if equals and unit.lower() != "bytes" and _UNIT.fullmatch(unit):
        return None
    # Empty elements of a list are to be passed over (5.6.1.2).
    texts = [text for text in (part.strip(" \t") for part in listed.split(",")) if text]
    if unit.lower() != "bytes" or not 1 <= len(texts) <= MOST_RANGES:
        raise _wrong(header)
    found = [_span(text, size, header) for text in texts]
    return _joined(sorted(span for span in found if span.first <= span.last))


def _span(text: str, size: int, header: str) -> Span:
    """Give one range, cut to the file: one without a byte in it has its `first` behind its `last`."""
    match = _RANGE.fullmatch(text)
    if match is None or text == "-":
        raise _wrong(header)
    first, last = match.groups()
    if not first:
        return Span(max(0, size - _number(last)), size - 1)
    if last and _longer(first, last):
        raise _wrong(header)
    return Span(_number(first), min(_number(last) if last else _BEYOND, size - 1))


def _number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _MOST_DIGITS else _BEYOND


def _longer(first: str, last: str) -> bool:
    """Compare two numbers of any length: Python reads no more than 4,300 digits."""
    one, other = first.lstrip("0"), last.lstrip("0")
    return (len(one), one) > (len(other), other)


def _joined(found: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for span in found:
        if joined and span.first <= joined[-1].last + 1:
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return tuple(joined)


def _wrong(header: str) -> InputError:
    return InputError([FieldProblem("Range", header[:80], ALLOWED)])
