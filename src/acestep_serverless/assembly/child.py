"""How do parent and child processes know of each other? Settings come down a pipe whose end says that the parent is
gone."""

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any


def words_for_child(words: Mapping[str, Any]) -> bytes:
    """Encode what a child reads first: one JSON line on its standard input (secrets never stand on a command line)."""
    return json.dumps(words).encode() + b"\n"


def read_words() -> dict[str, Any]:
    """Read that line, in the child."""
    return dict(json.loads(sys.stdin.buffer.readline()))


def when_parent_ends(act: Callable[[], None]) -> None:
    """Call `act` once the parent's end of the pipe closes, however the parent died."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        act()

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
