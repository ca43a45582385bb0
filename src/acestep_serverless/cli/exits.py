"""With which code does a command of songs end? One table for the program and its documentation."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ParamSpec

import typer

from acestep_serverless.cli.words import printable, say
from acestep_serverless.client import JobEnded, StillRunning, SubmissionUnknown
from acestep_serverless.client.address import KEY_VARIABLE, RUNPOD_KEY_VARIABLE
from acestep_serverless.errors import AccessDenied, AcestepServerlessError, PeerUnreachable

Words = ParamSpec("Words")


@dataclass(frozen=True, slots=True)
class Exit:
    """One exit code and what it means; `kinds` are the errors that lead to it."""

    code: int
    meaning: str
    kinds: tuple[type[AcestepServerlessError], ...] = ()


DONE = Exit(0, "done")
WRONG_LINE = Exit(2, "the command line is wrong")
SOME = Exit(7, "items of a list were not made; those that were are kept, and the next run goes on")
INTERRUPTED = Exit(130, "interrupted with Ctrl-C; jobs at an endpoint go on")

INTERRUPTION = "interrupted; a job at an endpoint goes on: 'status ID' shows it, 'cancel ID' ends it"

EXITS = (
    DONE,
    Exit(
        1,
        "not done: wrong input, a refused key, a full disk; one line says what and what to do",
        (AcestepServerlessError,),
    ),
    WRONG_LINE,
    Exit(3, "the job ended FAILED, CANCELLED or TIMED_OUT", (JobEnded,)),
    Exit(4, "the endpoint does not answer", (PeerUnreachable,)),
    Exit(5, "nobody knows whether the job was queued: look before you send it again", (SubmissionUnknown,)),
    Exit(6, "the job has not ended within `--timeout` and goes on", (StillRunning,)),
    SOME,
    INTERRUPTED,
)
"""Every code of `generate`, `status`, `cancel` and `download`; an error takes the code of its nearest kind."""


REMEDIES: Mapping[type[AcestepServerlessError], str] = {
    AccessDenied: f" (here: name a file with the key with --key-file, or set {KEY_VARIABLE}, for Runpod "
    f"{RUNPOD_KEY_VARIABLE})"
}
"""What a command adds to an error that was written for programs."""


def code_of(error: AcestepServerlessError) -> int:
    """Give the exit code of an error."""
    codes = {kind: row.code for row in EXITS for kind in row.kinds}
    return next(codes[kind] for kind in type(error).__mro__ if kind in codes)


def ends_with_code(command: Callable[Words, None]) -> Callable[Words, None]:
    """Have a command say its error in one line and end with the error's code."""

    @functools.wraps(command)
    def ending(*words: Words.args, **named: Words.kwargs) -> None:
        try:
            command(*words, **named)
        except AcestepServerlessError as error:
            say(f"acestep-serverless: {printable(str(error))}{REMEDIES.get(type(error), '')}", aside=True)
            raise typer.Exit(code_of(error)) from None
        except KeyboardInterrupt:
            say(f"acestep-serverless: {INTERRUPTION}", aside=True)
            raise typer.Exit(INTERRUPTED.code) from None

    return ending
