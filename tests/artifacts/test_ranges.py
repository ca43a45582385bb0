"""Is a `Range` header read as RFC 9110 has it, whatever is in it?"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acestep_serverless.artifacts.ranges import MOST_RANGES, Span, spans
from acestep_serverless.errors import InputError

SIZE = 1000


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("bytes=0-499", [(0, 499)]),
        ("bytes=500-", [(500, 999)]),
        ("bytes=-500", [(500, 999)]),
        ("bytes=-5000", [(0, 999)]),
        ("bytes=999-999999", [(999, 999)]),
        ("bytes=00-0009", [(0, 9)]),
        ("BYTES=0-0", [(0, 0)]),
        ("bytes=0-0,-1", [(0, 0), (999, 999)]),
        ("bytes= 9-9 ,\t0-0,, ", [(0, 0), (9, 9)]),
        ("bytes=500-600,601-999", [(500, 999)]),
        ("bytes=500-700,601-650", [(500, 700)]),
        ("bytes=0-1,5000-", [(0, 1)]),
        ("bytes=1000-", []),
        ("bytes=-0", []),
        ("bytes=1000-1001,-0", []),
        (f"bytes={'9' * 5000}-", []),
        (f"bytes=0-{'9' * 5000}", [(0, 999)]),
        (f"bytes=-{'9' * 5000}", [(0, 999)]),
    ],
)
def test_ranges_are_cut_to_the_file_and_joined(header: str, found: list[tuple[int, int]]) -> None:
    assert spans(header, SIZE) == tuple(Span(*pair) for pair in found)


@pytest.mark.parametrize(
    "header",
    [
        *("", "=", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=1", "bytes=a-b", "bytes=1-0", "bytes=+1-2"),
        *("bytes=1-2-3", "bytes=0-1;2-3", "bytes=0 - 1", "bytes =0-1", " =0-1", "bytes=\u0663-", "bytes=0x1-2"),
        *("bytes=0-1,x", "bytes=0-1,2-1", f"bytes={'9' * 5000}-{'9' * 4999}", "by tes=0-1"),
        "bytes=" + ",".join(["0-1"] * (MOST_RANGES + 1)),
    ],
)
def test_what_is_no_range_is_refused_by_its_name(header: str) -> None:
    with pytest.raises(InputError, match=r"^Range: must be bytes=FIRST-LAST"):
        spans(header, SIZE)


@pytest.mark.parametrize("header", ["items=0-1", "seconds=", "x-y=anything at all"])
def test_a_unit_that_is_not_known_is_passed_over(header: str) -> None:
    assert spans(header, SIZE) is None


def test_a_file_without_a_byte_has_no_range() -> None:
    for header in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        assert spans(header, 0) == ()


numbers = st.integers(0, 30).map(str)
pairs = st.tuples(st.integers(0, 30), st.integers(0, 30)).map(sorted).map(lambda pair: f"{pair[0]}-{pair[1]}")
wanted = st.lists(pairs | numbers.map("{}-".format) | numbers.map("-{}".format), min_size=1, max_size=6)


def _bytes_of(text: str, size: int) -> set[int]:
    first, last = re.fullmatch(r"(\d*)-(\d*)", text).groups()  # type: ignore[union-attr] - the strategy above fits it
    here = range(size)
    if not first:
        return set(here[max(0, size - int(last)) :])
    return {place for place in here if int(first) <= place <= (int(last) if last else size)}


@settings(max_examples=200, deadline=None, database=None)
@given(texts=wanted, size=st.integers(0, 25))
def test_exactly_the_bytes_that_are_asked_for_are_found_each_once(texts: list[str], size: int) -> None:
    found = spans("bytes=" + ",".join(texts), size)
    assert found is not None
    places = [place for span in found for place in range(span.first, span.last + 1)]
    assert places == sorted(set().union(*(_bytes_of(text, size) for text in texts)))
