"""Which sounds does a request work on? Its own uploads, and songs of this server by the name they were given out with.

A path, a URL or a link leads nowhere: the only names that lead to a file are those of `AudioFolder`.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import BinaryIO
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException

from acestep_serverless.acestep_api.audio_folder import AudioFolder
from acestep_serverless.audio.decode import probe
from acestep_serverless.contract.acestep import AUDIO_ROUTE
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import AudioError, FieldProblem, InputError, TooLarge, Unavailable

SOURCE, REFERENCE = "src_audio_path", "reference_audio_path"
FILE_FIELDS: Mapping[str, str] = MappingProxyType(
    {"ref_audio": REFERENCE, "reference_audio": REFERENCE, "ctx_audio": SOURCE, "src_audio": SOURCE}
)
"""The file fields of a multipart body, and the parameter whose place each takes."""

LARGEST_UPLOAD = 128 << 20
"""Bytes of one file; ten minutes of stereo at 48 kHz and 16 bits are 115 MB as WAV."""
MOST_WAITING = 8 << 30
"""Bytes of all uploads on disk, of tasks that wait and of requests under way, at which no further one is taken."""
UPLOAD_SUFFIX = ".audio"
"""One for all: what a file is, its bytes say, and not the name that a client gives it."""

GIVEN_UP = "the request was given up"

_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:[/\\]")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WANTED = "must be the `file` of a song that this server made"


@dataclass(frozen=True, slots=True)
class Sound:
    """A stored file that holds sound: its name in the audio folder, and its length in seconds."""

    name: str
    seconds: float


@dataclass(slots=True)
class Upload:
    """One file that a request brings: the form's field, the client's name for it, and where it is written."""

    form_field: str
    client_name: str
    path: Path
    size: int = 0


@dataclass(slots=True)
class Sounds:
    """The files of one request. Whoever opens it calls `discard` at the end; `handed_over` leaves them to a task."""

    folder: AudioFolder
    largest: int = LARGEST_UPLOAD
    uploads: dict[str, Upload] = field(default_factory=dict)
    """By the parameter that each stands for."""
    _open: BinaryIO | None = None
    _over: bool = False
    _lock: Lock = field(default_factory=Lock)
    """Against a file that begins, in the thread of a request that was given up, after `discard`."""

    def begin(self, form_field: str, client_name: str) -> Upload:
        """Make room for a file.

        Raises InputError (another field, or a second file of its kind) and TooLarge (too much waits already).
        """
        parameter = FILE_FIELDS.get(form_field)
        if parameter is None:
            raise _refused(form_field, "an upload", f"must be a text; files are taken as {', '.join(FILE_FIELDS)}")
        if parameter in self.uploads:
            raise _refused(form_field, "a second file", f"must be one file, for {parameter}")
        upload = self._added(parameter, form_field, client_name, Path.touch)
        self._open = upload.path.open("r+b")
        return upload

    def write(self, upload: Upload, piece: bytes) -> None:
        """Add bytes to the file that is open. Raises HTTPException 413 (over the limit) and Unavailable (full disk)."""
        upload.size += len(piece)
        if upload.size > self.largest:
            allowed = f"{upload.form_field}: the file is over its limit of {self.largest:,} bytes"
            raise HTTPException(413, allowed)
        assert self._open is not None
        with _stored():
            self._open.write(piece)

    def end(self) -> None:
        """Close the file that is open; an empty one without a name is a form's unused field. Raises Unavailable."""
        if self._open is not None:
            with _stored():
                self._open.close()
            self._open = None
        for parameter, upload in list(self.uploads.items()):
            if upload.size == 0 and not upload.client_name:
                del self.uploads[parameter]
                self.folder.remove(upload.path.name)

    def of(self, parameter: str, given: str, longest_seconds: float) -> Sound | None:
        """Give the sound of a parameter: its upload, else the song that the parameter's text names, None when there
        is neither. Raises InputError for a file without sound, and for every text that is not the name of a song
        which is still here. Takes up to seconds."""
        if parameter not in self.uploads and given.strip():
            self._borrow(parameter, given)
        upload = self.uploads.get(parameter)
        return None if upload is None else self._probed(upload, longest_seconds)

    @contextmanager
    def handed_over(self) -> Iterator[None]:
        """Leave the files to the task that is queued inside; if that raises, they stay this request's.

        A request that was given up meanwhile has removed them already, and queues nothing: HTTPException 400.
        """
        with self._lock:
            if self._over:
                raise HTTPException(400, GIVEN_UP)
            yield
            self.uploads = {}

    def discard(self) -> None:
        """Remove the files."""
        with self._lock:
            self._over = True
            if self._open is not None:
                with suppress(OSError):  # what was not written yet finds no room
                    self._open.close()
            for upload in self.uploads.values():
                self.folder.remove(upload.path.name)
            self.uploads = {}

    def _added(self, parameter: str, form_field: str, client_name: str, make: Callable[[Path], None]) -> Upload:
        with self._lock:
            if self._over:
                raise HTTPException(400, GIVEN_UP)
            upload = Upload(form_field, client_name, self.folder.new_upload(UPLOAD_SUFFIX))
            if _bytes_waiting(upload.path.parent) > MOST_WAITING:
                raise TooLarge("Server busy: too much audio is waiting for its task")
            self.uploads[parameter] = upload
            make(upload.path)
            return upload

    def _borrow(self, parameter: str, given: str) -> None:
        """Take a second name for a song's file, so that the task has it even if the song is forgotten meanwhile."""
        try:
            song = self.folder.find(_name_in(given))
        except ValueError:
            allowed = f"{_WANTED} ({_objection(given)}), or a file in a multipart body"
            raise _refused(parameter, shown(given), allowed) from None
        if song is None:
            raise _refused(parameter, shown(given), f"{_WANTED} and still keeps")
        try:
            self._added(parameter, parameter, song.name, lambda path: _share(song, path))
        except FileNotFoundError:
            raise _refused(parameter, shown(given), f"{_WANTED} and still keeps") from None

    def _probed(self, upload: Upload, longest_seconds: float) -> Sound:
        try:
            return Sound(upload.path.name, probe(upload.path, longest_seconds=longest_seconds).seconds)
        except AudioError as error:
            reason = self.folder.scrubbed(str(error).replace(upload.path.name, "the file"))
            allowed = f"must be a sound file of at most {longest_seconds:g} s ({reason})"
            raise _refused(upload.form_field, shown(upload.client_name), allowed) from error


def _bytes_waiting(folder: Path) -> int:
    """The size of all uploads that are there."""
    sizes = 0
    for path in folder.glob("upload-*"):
        with suppress(FileNotFoundError):  # its task has just ended
            sizes += path.lstat().st_size
    return sizes


@contextmanager
def _stored() -> Iterator[None]:
    """Raise Unavailable for a disk that takes no more."""
    try:
        yield
    except OSError as error:
        raise Unavailable("the file could not be stored; try again later") from error


def _share(song: Path, path: Path) -> None:
    try:
        os.link(song, path, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without links
        shutil.copyfile(song, path, follow_symlinks=False)


def _name_in(given: str) -> str:
    """The name in a `file` value (`/v1/audio?path=NAME`), or the text itself."""
    if not given.startswith(f"{AUDIO_ROUTE}?"):
        return given
    try:
        return parse_qs(urlsplit(given).query, max_num_fields=4).get("path", [given])[0]
    except ValueError:
        return given


def _objection(given: str) -> str:
    """What is wrong with a text that is no name; upstream's words where it has some."""
    text = given.strip()
    if ".." in text:
        return "path traversal in audio file paths is not allowed"
    if _ABSOLUTE.match(text):
        return "absolute audio file paths are not allowed"
    return "URLs are not fetched here" if _URL.match(text) else "other files are not read"


def _refused(name: str, given: str, allowed: str) -> InputError:
    return InputError([FieldProblem(name, given, allowed)])
