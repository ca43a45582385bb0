"""Words for humans: the command line. It parses, calls `assembly`, and prints; `main` is the installed program."""

from acestep_serverless.interrupts import quiet_start


def main() -> None:
    """Run the program. Ctrl-C ends it quietly from its first moment on."""
    with quiet_start():
        from acestep_serverless.cli import program
    program.main()


__all__ = ["main"]
