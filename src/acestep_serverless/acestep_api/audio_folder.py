"""Where do the songs and uploads of this server lie, and which name leads to which file? One flat folder of unguessable
names."""

import re
from collections.abc import Callable, Container, Iterable
from pathlib import Path
from stat import S_ISREG

import structlog

_ID, _SUFFIX = r"[A-Za-z0-9_-]{1,128}", r"\.[a-z0-9]{1,8}"
_SONG = re.compile(f"song-{_ID}{_SUFFIX}", re.ASCII)
_UPLOAD = re.compile(f"upload-{_ID}({_SUFFIX})?", re.ASCII)

DRAWS = 10_000

log = structlog.get_logger(__name__)


class AudioFolder:
    """A folder that holds nothing but this server's songs and the sound files sent to it. No name can leave it."""

    def __init__(self, folder: Path, new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._new_id = new_id

    def prepare(self) -> None:
        """Make the folder. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)

    def remove_older(self, oldest_ms: int) -> None:
        """Remove what an earlier process left before `oldest_ms`, whole or half."""
        for path in self._own_files():
            if path.lstat().st_mtime_ns < oldest_ms * 1_000_000:
                path.unlink(missing_ok=True)

    def remove_all_but(self, names: Container[str]) -> None:
        """Remove every song and upload but those of these names, and whatever is half written."""
        for path in self._own_files():
            if path.name not in names:
                path.unlink(missing_ok=True)

    def new_path(self, suffix: str) -> Path:
        """Give the path of a song to be written; `suffix` such as ".mp3"."""
        return self._fresh("song", suffix)

    def new_upload(self, suffix: str = "") -> Path:
        """Give the path of a sound file that is about to arrive; `suffix` such as ".wav", "" for none.

        Whoever writes it hands its name to a task, which removes it at its end, or removes it. Raises ValueError.
        """
        path = self._fresh("upload", suffix)
        if not _UPLOAD.fullmatch(path.name):
            raise ValueError("suffix: must be a dot and at most 8 letters a to z or digits, or nothing")
        return path

    def find(self, name: str) -> Path | None:
        """Give the song's path, or None when there is no such file. Raises ValueError if it is no name of a song."""
        if not _SONG.fullmatch(name):
            raise ValueError("not the name of a song")
        return self._file(name)

    def find_upload(self, name: str) -> Path | None:
        """Give the upload's path, or None when there is none of that name."""
        return self._file(name) if _UPLOAD.fullmatch(name) else None

    def remove(self, name: str) -> None:
        """Delete a song or an upload, by a name that this folder gave, if it is still there and the disk lets us."""
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            log.warning("a file of a task could not be removed", file=name, reason=error.strerror)

    def remove_song(self, names: Iterable[str]) -> None:
        """Delete a song with what lies beside it."""
        for name in names:
            self.remove(name)

    def scrubbed(self, sentence: str) -> str:
        """Give a sentence without the folder's path, which is nobody's business outside."""
        return sentence.replace(f"{self._folder}/", "").replace(str(self._folder), "the audio folder")

    def _own_files(self) -> list[Path]:
        return [path for pattern in ("song-*", ".song-*.part", "upload-*") for path in self._folder.glob(pattern)]

    def _fresh(self, kind: str, suffix: str) -> Path:
        """Give a name that no file has: an earlier process may have drawn the same ids if they are not random."""
        for _ in range(DRAWS):
            path = self._folder / f"{kind}-{self._new_id()}{suffix}"
            if not path.exists():
                return path
        raise FileExistsError(f"{DRAWS:,} new names in a row were taken")

    def _file(self, name: str) -> Path | None:
        path = self._folder / name
        try:
            return path if S_ISREG(path.lstat().st_mode) else None
        except FileNotFoundError:
            return None
