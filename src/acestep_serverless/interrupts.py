"""What does Ctrl-C do while a program is still imported? It ends the process on the spot, and quietly."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_start() -> Iterator[None]:
    """Import a program inside, which takes a second: what is raised in the middle of an import may be swallowed or come
    out as another error. A process that is deaf to Ctrl-C stays so; imports nothing but the standard library."""
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    yield
    if watched:
        signal.signal(signal.SIGINT, signal.default_int_handler)
