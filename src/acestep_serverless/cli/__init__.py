"""Words for humans: the command line. It parses, calls `assembly`, and prints; `main` is the installed program."""

from acestep_serverless.cli.program import main

__all__ = ["main"]
