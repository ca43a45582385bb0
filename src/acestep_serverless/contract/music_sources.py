"""What may stand where a request names audio? A URL, the audio itself as text, or the file of an earlier job.

Shapes only: nothing is fetched here, and no path of any machine is ever one of them.
"""

import base64
import binascii
import re
import string
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from acestep_serverless.contract.acestep import AUDIO_ROUTE

LONGEST_TEXT = 28_000_000
"""Characters of one `src_audio` or `reference_audio`: more than fits the body of any request (20 MiB)."""

SHORTEST_TEXT = 59
"""Letters of base64 for the 44 bytes that the header of a WAV file has. A shorter text is a name or path, no audio."""

LONGEST_URL = 8_000

ALLOWED = (
    "an https URL, a data: URI with base64, base64, or the `file` of an earlier job of this endpoint "
    f"({AUDIO_ROUTE}?filename=...)"
)

_FILE = re.compile(re.escape(AUDIO_ROUTE) + r"\?filename=([A-Za-z0-9][A-Za-z0-9._-]{0,127})", re.ASCII)
_ALPHABET = (string.ascii_letters + string.digits + "+/").encode()
_USUAL_LETTERS = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class AudioAtUrl:
    """Audio to be fetched from a stranger's http or https URL."""

    url: str


@dataclass(frozen=True, slots=True)
class AudioInline:
    """Audio that came with the request, decoded."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AudioOfJob:
    """The file of an earlier job of the same endpoint, by the name in its `file`."""

    name: str


AudioSource = AudioAtUrl | AudioInline | AudioOfJob


def read_source(value: str) -> AudioSource:
    """Tell what a text names. Raises ValueError whose text completes the sentence "FIELD: ... "."""
    text = value.strip()
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"must be at most {LONGEST_TEXT:,} characters long")
    scheme = text[:8].partition(":")[0].lower()
    if scheme in ("http", "https"):
        return AudioAtUrl(_url(text))
    if scheme == "data":
        return AudioInline(_data_uri(text))
    if text.startswith(AUDIO_ROUTE):
        return _earlier(text)
    return AudioInline(_decoded(text))


def _url(text: str) -> str:
    if len(text) > LONGEST_URL:
        raise ValueError(f"must be a URL of at most {LONGEST_URL:,} characters")
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0
    except ValueError:
        whole = False
    if not whole or not text.isprintable() or " " in text:
        raise ValueError("must be a whole URL with a host name")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must be a URL without a user name or a password")
    return text


def _data_uri(text: str) -> bytes:
    """Decode `data:[type][;parameters];base64,...` (RFC 2397)."""
    head, comma, body = text.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise ValueError("must be a data: URI with ;base64 before its comma")
    return _decoded(body)


def _earlier(text: str) -> AudioOfJob:
    found = _FILE.fullmatch(text)
    if found is None:
        raise ValueError(f"must be {ALLOWED}; no other path is read")
    return AudioOfJob(found[1])


def _decoded(text: str) -> bytes:
    """Decode base64 in its usual or its URL alphabet, with or without line breaks and padding. Megabytes pass through
    here, so each step is one call: 20 MB take 0.1 s, a tenth of what regular expressions take."""
    plain = text if text.isascii() else ""
    letters = plain.encode().translate(_USUAL_LETTERS, b" \t\r\n").rstrip(b"=")
    if letters.translate(None, _ALPHABET) or len(letters) < SHORTEST_TEXT:
        raise ValueError(f"must be {ALLOWED}")
    try:
        return base64.b64decode(letters + b"=" * (-len(letters) % 4))
    except binascii.Error:
        raise ValueError("must be whole base64: a text of this length is cut off") from None
