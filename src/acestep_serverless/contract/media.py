"""Which file is which kind of audio? Suffixes and media types, one table for the worker that sends and the gateway that
files.

Types as registered with IANA, but for `audio/wav`, the name that browsers and servers use. Opus lies in an Ogg
container, so its type names the container (RFC 7845, section 9).
"""

from collections.abc import Mapping
from types import MappingProxyType

MEDIA_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "flac": "audio/flac",
        "opus": "audio/ogg",
        "ogg": "audio/ogg",
        "aac": "audio/aac",
        "m4a": "audio/mp4",
    }
)
"""Media type by suffix without its dot. Where two suffixes share a type, the first is the type's own."""

_OTHER_NAMES = {"audio/x-wav": "wav", "audio/opus": "opus"}
"""Names that servers give to the same files; no file is filed under them."""

_SUFFIXES = {**{media_type: suffix for suffix, media_type in reversed(list(MEDIA_TYPES.items()))}, **_OTHER_NAMES}


def suffix_of(media_type: str) -> str | None:
    """Name the suffix, without a dot, of files with this media type (small letters, no parameters); None if unknown."""
    return _SUFFIXES.get(media_type)
