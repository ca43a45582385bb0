"""What has this machine already made, should a job come back? Finished outputs on disk by job id, within bounds.

All workers of a machine that work for one endpoint share the folder, and it outlives them: what one of them finished
before it was killed, the next one answers with.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import structlog

from acestep_serverless.artifacts.disk import UNFINISHED, write_whole
from acestep_serverless.worker import kept_file

UNFINISHED_MS = 3_600_000
"""Age at which a file that was never finished counts as left behind by a killed process; writing takes seconds."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeptBounds:
    """How much is kept: number of outputs, bytes of all files together, milliseconds since each was kept."""

    outputs: int
    bytes: int
    age_ms: int


AT_A_GATEWAY = KeptBounds(outputs=256, bytes=1 << 30, age_ms=24 * 3_600_000)
"""There an output goes as soon as the gateway calls its job final; these bounds are for those of which it never does.
A day is the default `ttl`: after that no job is handed out again, unless its client asked for more."""

ON_RUNPOD = KeptBounds(outputs=16, bytes=16 * (20 << 20), age_ms=3_600_000)
"""There nobody says what is final, so every output stays until it is one of too many or an hour old; the bytes are 16
times the platform's largest output."""


class KeptOutputs:
    """Finished outputs in `folder`, which is made when needed and holds nothing else. Every `now_ms` is wall time in
    milliseconds since 1970. Nothing here raises for what is wrong with the disk: to keep an output is a favour, a job
    goes on without it, and the log says so."""

    def __init__(self, folder: Path, bounds: KeptBounds) -> None:
        self._folder, self._bounds = folder, bounds

    def keep(self, job_id: str, asked: object, output: Mapping[str, object], *, now_ms: int) -> None:
        """Write down the finished `output` of a job whose input is `asked` (any JSON): whole or not at all, and there
        after a power cut. Another output of the same job is replaced; then the oldest beyond the bounds go."""
        data = kept_file.encode(job_id, asked, output)
        if len(data) > self._bounds.bytes:
            _log.warning("an output is too large to be kept on this machine", job=job_id, bytes=len(data))
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path(job_id), data, dated_ms=now_ms)
        except OSError as error:
            _log.warning("a finished output could not be kept on this disk", job=job_id, reason=error.strerror)
        self.tidy(now_ms=now_ms)

    def find(self, job_id: str, asked: object, *, now_ms: int) -> dict[str, object] | None:
        """Return the output that was kept for this job. None when there is none, and when it cannot be read, is too
        old or answers another input: then it is removed as well."""
        path = self._path(job_id)
        try:
            age = self._age(path.lstat(), now_ms)
            head, output = kept_file.read(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _drop(path, f"it cannot be read ({type(error).__name__})")
            return None
        if age > self._bounds.age_ms:
            _drop(path, "it is too old")
        elif head.job != kept_file.digest_of_id(job_id):
            _drop(path, "it is another job's")
        elif head.input != kept_file.digest_of_input(asked):
            _drop(path, "the job's input is another one now")
        else:
            return output
        return None

    def forget(self, job_id: str) -> None:
        """Remove what is kept for a job, if anything is."""
        try:
            self._path(job_id).unlink(missing_ok=True)
        except OSError as error:
            _log.warning("a kept output could not be removed", job=job_id, reason=error.strerror)

    def tidy(self, *, now_ms: int) -> None:
        """Remove what is too old, the oldest beyond the bounds, and files that are none of ours."""
        files = self._newest_first()
        for path, reason in [*self._strangers(files, now_ms), *self._too_many(files, now_ms)]:
            _drop(path, reason)

    def _strangers(self, files: list[tuple[Path, os.stat_result]], now_ms: int) -> Iterator[tuple[Path, str]]:
        for path, stat in files:
            if path.name.endswith(UNFINISHED):
                if self._age(stat, now_ms) > UNFINISHED_MS:
                    yield path, "it was never finished"
            elif not _is_ours(path, stat):
                yield path, "it is no kept output"

    def _too_many(self, files: list[tuple[Path, os.stat_result]], now_ms: int) -> Iterator[tuple[Path, str]]:
        size = 0
        for number, (path, stat) in enumerate((entry for entry in files if _is_ours(*entry)), 1):
            size += stat.st_size
            if self._age(stat, now_ms) > self._bounds.age_ms:
                yield path, "it is too old"
            elif number > self._bounds.outputs or size > self._bounds.bytes:
                yield path, "newer ones fill the bounds"

    def _newest_first(self) -> list[tuple[Path, os.stat_result]]:
        found = []
        with suppress(OSError):  # not there yet; where it cannot be read, `keep` says that it cannot write
            for path in self._folder.iterdir():
                with suppress(FileNotFoundError):  # another worker of this machine was faster
                    found.append((path, path.lstat()))
        files = [(path, stat) for path, stat in found if not S_ISDIR(stat.st_mode)]
        return sorted(files, key=lambda entry: (entry[1].st_mtime_ns, entry[0].name), reverse=True)

    def _age(self, stat: os.stat_result, now_ms: int) -> int:
        """Measure both ways: a file from the future was kept before the clock was set back, nobody knows when."""
        return abs(now_ms - stat.st_mtime_ns // 1_000_000)

    def _path(self, job_id: str) -> Path:
        return self._folder / kept_file.file_name(job_id)


def _is_ours(path: Path, stat: os.stat_result) -> bool:
    return S_ISREG(stat.st_mode) and kept_file.is_file_name(path.name)


def _drop(path: Path, reason: str) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        reason = f"{reason}; it cannot be removed: {error.strerror}"
    _log.info("a kept output is let go", file=path.name, reason=reason)
