"""Who ends a process whose parent is gone? The kernel, on Linux: it kills the child when the parent dies, however it
dies.

The Runpod SDK sends heartbeats from a process of its own. Killed hard, a worker would leave it behind, telling the
gateway for ever that a dead job is alive. macOS and Windows have no such signal: there these functions do nothing.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that this process gets when the thread that created it ends."""


def _load_prctl() -> Callable[..., int] | None:
    """Load the C library here, in the parent: a freshly forked child should do as little as possible."""
    if not sys.platform.startswith("linux"):
        return None
    prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
    return prctl


_prctl = _load_prctl()


def die_with_parent(parent: int | None = None) -> bool:
    """Have the kernel kill this process with SIGKILL when its parent ends; return whether this system can.

    `parent` is the parent's process id as the caller knows it: should it have died before the request reached the
    kernel, this process ends at once. The kernel watches the parent's *thread* that started this process, so start
    workers from a thread that lives as long as they may.
    """
    if _prctl is None or _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        return False
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return True


def keep_children_with_this_process() -> None:
    """Make every process that this one forks from now on die with it, the SDK's heartbeat above all.

    From Python 3.14 on `multiprocessing` no longer forks by default on Linux (its fork server would own the
    heartbeat), so forking is asked for. Call once, early, from the main thread.
    """
    if _prctl is None:
        return
    multiprocessing.set_start_method("fork", force=True)
    forking: list[int] = []

    def remember_parent() -> None:
        forking[:] = [os.getpid()]

    def follow_parent() -> None:
        die_with_parent(forking[0])

    os.register_at_fork(before=remember_parent, after_in_child=follow_parent)
