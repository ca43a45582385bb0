"""What does the server for agents take on its command line, and how does it end? One line, never a traceback."""

import asyncio
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from acestep_serverless.assembly.reach import here
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import Settings

PROGRAM = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
LOOPBACK = "127.0.0.1"
INTERRUPTED = 128 + signal.SIGINT
"""Exit code after Ctrl-C, as shells have it."""


@PROGRAM.command()
def serve_tools(
    endpoint: Annotated[
        str | None,
        typer.Option(metavar="URL", help="an endpoint's URL, ours or Runpod's; without one songs are made here"),
    ] = None,
    endpoint_id: Annotated[
        str | None, typer.Option(help="which endpoint there, if the URL does not end with it")
    ] = None,
    key_file: Annotated[Path | None, typer.Option(help="file with the endpoint's key and nothing else")] = None,
    engine: Annotated[str | None, typer.Option(help="without --endpoint: auto, sketch or acestep")] = None,
    output: Annotated[Path, typer.Option(help="folder for the songs that are fetched")] = Path("outputs"),
    http: Annotated[
        int | None,
        typer.Option(min=0, max=65_535, metavar="PORT", help="speak HTTP on this port of 127.0.0.1, at /mcp"),
    ] = None,
) -> None:
    """Give AI agents tools to make music, over the Model Context Protocol: on standard input and output, or HTTP."""
    # Imported outside of the event loop, which would hold Ctrl-C back until they are done.
    from acestep_serverless.mcp.acting import Acting
    from acestep_serverless.mcp.server import build_server
    from acestep_serverless.mcp.transports import on_http, on_standard_streams

    configure_logs("WARNING")

    async def serve() -> None:
        opened = here(endpoint, endpoint_id, key_file, engine, lambda: Settings.load(engine=engine))
        async with opened as songs:
            server = build_server(Acting(songs, output))
            if http is not None:
                await on_http(server, LOOPBACK, http)
                return
            with suppress(NotImplementedError):  # on Windows
                asyncio.get_running_loop().add_signal_handler(signal.SIGINT, _leave, asyncio.current_task())
            await on_standard_streams(server)

    try:
        asyncio.run(serve())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise typer.Exit(INTERRUPTED) from None


def _leave(serving: asyncio.Task[Any] | None) -> None:
    """End in good order, or after a second in any: nothing wakes the thread that waits for the agent's next line."""
    last_resort = threading.Timer(1.0, os._exit, [INTERRUPTED])
    last_resort.daemon = True
    last_resort.start()
    if serving is not None:
        serving.cancel()


def main() -> None:
    """Run the program: errors that are ours are one line on standard error, exit code 1."""
    try:
        PROGRAM(prog_name="acestep-serverless mcp")
    except AcestepServerlessError as error:
        sys.exit(f"acestep-serverless: {error}")
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types", "jsonschema"):
            raise
        sys.exit(
            "acestep-serverless: the server for agents needs the extra [mcp]; run: "
            f"{sys.executable} -m pip install 'acestep-serverless[mcp]'"
        )
