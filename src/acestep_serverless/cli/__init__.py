"""Words for humans: the command line. It parses, calls `assembly`, and prints; `main` is the installed program."""

import os
import signal


def main() -> None:
    """Run the program. Until it is imported, which takes a second, Ctrl-C ends this process on the spot: what is raised
    in the middle of an import may be swallowed or come out as another error."""
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        signal.signal(signal.SIGINT, lambda *_: os._exit(128 + signal.SIGINT))
    from acestep_serverless.cli import program

    if watched:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    program.main()


__all__ = ["main"]
