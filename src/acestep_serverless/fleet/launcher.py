"""What starts and ends workers? Something that knows them by id only: processes here, other machines' later."""

import itertools
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Ended:
    """A worker that is over, with what its launcher can say of the end."""

    worker_id: str
    reason: str


class Launcher(Protocol):
    """Starts workers under ids it is given and reports those that have ended."""

    def start(self, worker_id: str) -> None:
        """Start a worker."""
        ...

    def end(self, worker_id: str, *, now: bool) -> None:
        """Ask a worker to end after its job, or end it `now`."""
        ...

    def collect(self) -> list[Ended]:
        """Report workers that have ended since the last call."""
        ...


class ProcessLauncher:
    """Workers as child processes: `command` runs one, `words` gives what it reads from its standard input first.

    The pipe stays open as long as this process lives; its end tells the child that its parent is gone. Each worker
    takes the lowest free slot, and slot k the k-th of `gpus` in turn: CUDA_VISIBLE_DEVICES in its copy of `environ`.
    """

    def __init__(
        self,
        command: Sequence[str],
        words: Callable[[str], bytes],
        *,
        environ: Mapping[str, str] | None = None,
        gpus: Sequence[str] = (),
    ) -> None:
        self._command, self._words = list(command), words
        self._environ, self._gpus = environ, tuple(gpus)
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._slots: dict[str, int] = {}

    def start(self, worker_id: str) -> None:
        """Start a worker in a session of its own, so that Ctrl-C reaches only the parent. Raises OSError."""
        slot = next(slot for slot in itertools.count() if slot not in self._slots.values())
        environ = self._environ
        if self._gpus:
            environ = {**(environ or {}), "CUDA_VISIBLE_DEVICES": self._gpus[slot % len(self._gpus)]}
        process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True, env=environ)
        self._running[worker_id], self._slots[worker_id] = process, slot
        assert process.stdin is not None
        try:
            process.stdin.write(self._words(worker_id))
            process.stdin.flush()
        except BrokenPipeError:
            return  # It is over already; collect() reports it.

    def end(self, worker_id: str, *, now: bool) -> None:
        """Send SIGTERM, or SIGKILL when it must be now."""
        process = self._running.get(worker_id)
        if process is not None and process.poll() is None:
            process.kill() if now else process.terminate()

    def collect(self) -> list[Ended]:
        """Report workers that have ended since the last call, with their exit code or signal."""
        over = [(name, process.returncode) for name, process in self._running.items() if process.poll() is not None]
        for name, _ in over:
            del self._slots[name]
            stdin = self._running.pop(name).stdin
            if stdin is not None:
                with suppress(BrokenPipeError):
                    stdin.close()
        return [Ended(name, f"signal {-code}" if code < 0 else f"exit code {code}") for name, code in over]
