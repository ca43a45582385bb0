"""How does a multipart body arrive? Piece by piece: texts into memory, files straight to disk, all within bounds."""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.sounds import Sounds, Upload
from acestep_serverless.contract.music_shown import shown

MALFORMED = "Malformed multipart body"
CALLBACKS = "part_begin part_data part_end header_field header_value header_end headers_finished end"
LONGEST_NAME = 200
"""Characters of a field's or file's name."""

Pairs = list[tuple[str, str]]
Gate = Callable[[Pairs], None]


class MultipartReader:
    """Reads one body: `write` its pieces, in any thread but one at a time, then `finish` for the pairs of texts.

    Without `sounds` a file is refused; `gate` is asked, with the texts so far, before the first byte of a file is
    stored, and what it raises ends the request. All methods raise HTTPException 400 (malformed, too many parts) and 413
    (texts over `largest_texts` bytes), and what `Sounds` raises about files.
    """

    def __init__(
        self, content_type: str, sounds: Sounds | None, gate: Gate, *, largest_texts: int, most_parts: int
    ) -> None:
        _, options = parse_options_header(content_type)
        if b"boundary" not in options or options.get(b"charset", b"utf-8").lower() not in (b"utf-8", b"utf8"):
            raise HTTPException(400, MALFORMED)
        self._sounds, self._gate = sounds, gate
        self._texts_left, self._parts_left = largest_texts, most_parts
        self._pairs: Pairs = []
        self._header, self._value, self._disposition = bytearray(), bytearray(), b""
        self._name, self._text = "", bytearray()
        self._upload: Upload | None = None
        self._ended = False
        callbacks = {f"on_{name}": getattr(self, f"_{name}") for name in CALLBACKS.split()}
        try:
            self._parser = MultipartParser(options[b"boundary"], callbacks)  # type: ignore[arg-type] # a TypedDict of optional keys
        except FormParserError:
            raise HTTPException(400, MALFORMED) from None

    def write(self, piece: bytes) -> None:
        """Read the next bytes of the body."""
        try:
            self._parser.write(piece)
        except (FormParserError, UnicodeDecodeError):
            raise HTTPException(400, MALFORMED) from None

    def finish(self) -> Pairs:
        """Give the texts by name, in order; a body that stops in the middle is malformed."""
        if not self._ended:
            raise HTTPException(400, MALFORMED)
        return self._pairs

    def _part_begin(self) -> None:
        self._parts_left -= 1
        if self._parts_left < 0:
            raise HTTPException(400, f"{MALFORMED}: it has too many parts")
        self._disposition, self._text, self._upload = b"", bytearray(), None

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise HTTPException(400, f"{MALFORMED}: a part has no name")
        self._name = options[b"name"].decode()[:LONGEST_NAME]
        if b"filename" in options:
            self._begin_file(options[b"filename"].decode(errors="replace")[:LONGEST_NAME])

    def _begin_file(self, client_name: str) -> None:
        if self._sounds is None:
            raise HTTPException(400, f"{shown(self._name)}: must be a text, no file is taken here")
        self._gate(self._pairs)
        self._upload = self._sounds.begin(self._name, client_name)

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._upload is not None and self._sounds is not None:
            self._sounds.write(self._upload, data[start:end])
            return
        self._texts_left -= end - start
        if self._texts_left < 0:
            raise HTTPException(413, "the texts of the form are over their limit")
        self._text += data[start:end]

    def _part_end(self) -> None:
        if self._upload is not None and self._sounds is not None:
            self._sounds.end()
        else:
            self._pairs.append((self._name, self._text.decode()))

    def _end(self) -> None:
        self._ended = True
