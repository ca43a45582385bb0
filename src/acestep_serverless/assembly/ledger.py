"""Which songs of a list are made already? A small file beside them, one line of JSON for each step of each wish.

A step is on the disk before the next one begins: what was being sent when a run ended is known to be in doubt, and is
not sent again. A wish is known by its content, so lines may be added, removed or moved between two runs.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import Conflict, FieldProblem, InputError

LEDGER_FILE = "acestep-serverless.ledger.jsonl"
LARGEST_LEDGER = 64 << 20
"""Bytes: four lines for each of 100,000 wishes."""

Step = Literal["sending", "queued", "done", "failed"]
STEPS: tuple[Step, ...] = ("sending", "queued", "done", "failed")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a wish. `endpoint` is where its job is, `files` are names in the ledger's own folder."""

    key: str
    step: Step
    endpoint: str = ""
    job: str = ""
    files: tuple[str, ...] = ()
    error: str = ""


def keys_of(wishes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name each wish after its content; equal ones are told apart by their order: "0a1b2c3d4e5f", "0a1b2c3d4e5f-2"."""
    seen: Counter[str] = Counter()
    keys = []
    for wish in wishes:
        content = json.dumps(wish, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
        digest = hashlib.sha256(content).hexdigest()[:12]
        seen[digest] += 1
        keys.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return keys


class Ledger:
    """The ledger of a folder, which is made. For one process at a time, which a lock sees to where there are any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / LEDGER_FILE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a+b")
        except OSError as error:
            said = f"must be a folder that can be written to ({error.strerror})"
            raise InputError([FieldProblem("output", str(folder), said)]) from None
        try:
            self._lock()
            self._entries = _read(path)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file, and let go of the lock."""
        self._file.close()

    def of(self, key: str) -> Entry | None:
        """Give what is known of a wish; one whose files are gone is not done."""
        entry = self._entries.get(key)
        if (
            entry is not None
            and entry.step == "done"
            and not all((self.folder / name).is_file() for name in entry.files)
        ):
            return None
        return entry

    def has_all(self, keys: Iterable[str]) -> bool:
        """Tell whether every one of these wishes is done."""
        return all((entry := self.of(key)) is not None and entry.step == "done" for key in keys)

    def note(self, entry: Entry) -> None:
        """Write down a step; it is on the disk when this returns (0.1 to 10 ms)."""
        self._entries[entry.key] = entry
        self._file.write(json.dumps(asdict(entry)).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _lock(self) -> None:
        try:
            import fcntl  # not on Windows, where two runs in one folder are not noticed
        except ImportError:
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another run is at work in {self.folder}: wait for its end, or name another folder"
            ) from None


def _read(path: Path) -> dict[str, Entry]:
    """Read the last step of each wish; a last line that a power cut has torn is taken off. Raises InputError for a
    ledger that cannot be read: a wish that it knows could be sent twice."""
    if path.stat().st_size > LARGEST_LEDGER:
        raise InputError([FieldProblem("ledger", str(path), f"may have {LARGEST_LEDGER:,} bytes: name another folder")])
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    entries: dict[str, Entry] = {}
    for number, line in enumerate(content[:whole].splitlines(), 1):
        entry = _entry(line)
        if entry is None:
            said = "must hold what this program wrote: mend the line, or name another folder"
            raise InputError([FieldProblem("ledger", f"line {number} of {path}", said)])
        entries[entry.key] = entry
    return entries


def _entry(line: bytes) -> Entry | None:
    try:
        found = json.loads(line)
        entry = Entry(**{**found, "files": tuple(found["files"])})
    except (ValueError, TypeError, KeyError):
        return None
    whole = entry.step in STEPS and all(isinstance(name, str) and Path(name).name == name for name in entry.files)
    return entry if whole else None


def doubtful(entry: Entry) -> str:
    """Say why a wish is not sent again."""
    return (
        f"it was being sent to {shown(entry.endpoint)} when an earlier run ended, so a job may exist: look for it "
        "(GET .../requests) and, if there is none, run again with --resend"
    )
