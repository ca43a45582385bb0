"""Where do the songs of this server lie, and which name leads to which file? One flat folder of unguessable names."""

import re
from collections.abc import Callable
from pathlib import Path
from stat import S_ISREG

_NAME = re.compile(r"song-[A-Za-z0-9_-]{1,128}\.[a-z0-9]{1,8}", re.ASCII)


class AudioFolder:
    """A folder that holds nothing but this server's songs. No name that a request gives can leave it."""

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
        return self._folder / f"song-{self._new_id()}{suffix}"

    def find(self, name: str) -> Path | None:
        """Give the song's path, or None when there is no such file. Raises ValueError if it is no name of a song."""
        if not _NAME.fullmatch(name):
            raise ValueError("not the name of a song")
        path = self._folder / name
        try:
            return path if S_ISREG(path.lstat().st_mode) else None
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Delete a song's file if it is still there."""
        (self._folder / name).unlink(missing_ok=True)

    def scrubbed(self, sentence: str) -> str:
        """Give a sentence without the folder's path, which is nobody's business outside."""
        return sentence.replace(f"{self._folder}/", "").replace(str(self._folder), "the audio folder")
