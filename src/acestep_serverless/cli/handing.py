"""How does one command become another program? It is replaced, so that streams and signals are the other's."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn


def hand_over(module: str, words: Sequence[str]) -> NoReturn:
    """Run a module of this package with these words in place of the running program.

    An agent talks to it over standard input and output and ends it by a signal: nothing may stand in between. The
    working folder, which may be anybody's, is not looked into for modules (-P). Where a process cannot be replaced
    (Windows), it is waited for.
    """
    command = [sys.executable, "-P", "-m", module, *words]
    if sys.platform != "win32":
        os.execv(sys.executable, command)  # noqa: S606 - the same interpreter, and no shell
    sys.exit(subprocess.call(command))
