"""Where do the songs and uploads of this server lie, and which name leads to which file? One flat folder of unguessable
names."""

import re
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

_ID, _SUFFIX = r"[A-Za-z0-9_-]{1,128}", r"\.[a-z0-9]{1,8}"
_SONG = re.compile(f"song-{_ID}{_SUFFIX}", re.ASCII)
_UPLOAD = re.compile(f"upload-{_ID}({_SUFFIX})?", re.ASCII)

DRAWS = 10_000


class AudioFolder:
    """A folder that holds nothing but this server's songs and the sound files sent to it. No name can leave it."""

    def __init__(self, folder: Path, new_id: Callable[[], str]) -> None:
        self._folder = folder
        self._new_id = new_id

    def prepare(self, *, oldest_ms: int) -> None:
        """Make the folder and remove the songs, whole or half, that an earlier process left before `oldest_ms`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for pattern in ("song-*", ".song-*.part"):
            for path in self._folder.glob(pattern):
                if path.lstat().st_mtime_ns < oldest_ms * 1_000_000:
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
        """Delete a song or an upload, by a name that this folder gave, if it is still there."""
        (self._folder / name).unlink(missing_ok=True)

    def scrubbed(self, sentence: str) -> str:
        """Give a sentence without the folder's path, which is nobody's business outside."""
        return sentence.replace(f"{self._folder}/", "").replace(str(self._folder), "the audio folder")

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
