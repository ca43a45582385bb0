"""How does work on samples use every core and still stop at once? Jobs on threads, a caller that keeps asking."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from acestep_serverless.errors import GenerationCancelled

Result = TypeVar("Result")
Stop = Callable[[], None]
"""Handed to each job, which calls it between pieces of at most 0.1 s of work; raises GenerationCancelled to end it."""

THREADS = max(1, min(4, os.cpu_count() or 1))
"""How many jobs run at once: numpy, scipy, soxr and pedalboard let go of the interpreter while they compute."""

ASK_SECONDS = 0.05


def never() -> bool:
    """Say that nobody cancels: the default of everything here that can be cancelled."""
    return False


def together(jobs: Sequence[Callable[[Stop], Result]], cancelled: Callable[[], bool] = never) -> list[Result]:
    """Run `jobs` side by side and return their results in the order of `jobs`.

    `cancelled` is asked from the caller's thread only, every 0.05 s. Once it is true, or one job raises, the others
    are stopped and waited for. Raises GenerationCancelled or what the first failing job raised.
    """
    ended = threading.Event()

    def stop() -> None:
        if ended.is_set():
            raise GenerationCancelled("the song was cancelled")

    with ThreadPoolExecutor(THREADS, thread_name_prefix="sound") as threads:
        futures = [threads.submit(job, stop) for job in jobs]
        try:
            _watch(futures, cancelled)
        finally:
            ended.set()
            threads.shutdown(cancel_futures=True)
    return [future.result() for future in futures]


def abandonable(job: Callable[[], Result], cancelled: Callable[[], bool]) -> Result:
    """Run one job that takes no `stop` and return its result; `cancelled` is asked every 0.05 s.

    Once it is true GenerationCancelled is raised at once and the job is left to end by itself: only for work of at
    most a second that changes nothing outside itself.
    """
    with_no_wait = ThreadPoolExecutor(1, thread_name_prefix="abandonable")
    try:
        future = with_no_wait.submit(job)
        _watch([future], cancelled)
        return future.result()
    finally:
        with_no_wait.shutdown(wait=False, cancel_futures=True)


def _watch(futures: Sequence["Future[Result]"], cancelled: Callable[[], bool]) -> None:
    """Return once all are done; raise as soon as one failed or the caller wants no more."""
    pending = set(futures)
    while pending:
        if cancelled():
            raise GenerationCancelled("the song was cancelled")
        done, pending = wait(pending, timeout=ASK_SECONDS, return_when="FIRST_EXCEPTION")
        for future in done:
            future.result()
