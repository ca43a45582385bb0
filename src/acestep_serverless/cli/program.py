"""Which commands are there? One function each; every flag has its environment variable and TOML key of the same
name."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from acestep_serverless import __version__
from acestep_serverless.cli.fields import FieldsCommand
from acestep_serverless.cli.flags import AsJson, DataDir, EndpointId, EngineName, Host, Port, described
from acestep_serverless.cli.following import cancel, download, status
from acestep_serverless.cli.generating import generate
from acestep_serverless.cli.handing import hand_over
from acestep_serverless.cli.keyring import KEYS
from acestep_serverless.cli.measuring import BENCH
from acestep_serverless.cli.models import MODELS
from acestep_serverless.cli.operating import ENDPOINTS, JOBS, WORKERS
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.settings import PREFIX, Settings

PROGRAM = typer.Typer(
    name="acestep-serverless",
    help="Music generation as a serverless endpoint, on Runpod or on your own machines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _group in (
    ("jobs", JOBS),
    ("workers", WORKERS),
    ("endpoints", ENDPOINTS),
    ("keys", KEYS),
    ("models", MODELS),
    ("bench", BENCH),
):
    PROGRAM.add_typer(_group, name=_name)


def _settings_listing() -> str:
    lines = [f"  {PREFIX}{name.upper():30} {field.description}" for name, field in Settings.model_fields.items()]
    return (
        "Settings come from flags, then environment variables, then acestep-serverless.toml (or the file that "
        f"{PREFIX}CONFIG names; keys are the names in small letters without the prefix):\n\n\b\n" + "\n".join(lines)
    )


@PROGRAM.command(epilog=_settings_listing(), short_help="Run the endpoint on this machine until Ctrl-C.")
def serve(
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    engine: EngineName = None,
    workers: Annotated[int | None, typer.Option(help=described("workers"))] = None,
    endpoint_id: EndpointId = None,
) -> None:
    """Run the whole endpoint on this machine: gateway, queue and workers, until Ctrl-C."""
    from acestep_serverless.assembly.door import refuse_strangers
    from acestep_serverless.assembly.serve import Parent
    from acestep_serverless.cli.serving import announce_serve, note_unknown_variables
    from acestep_serverless.logs import configure_logs

    settings = Settings.load(
        host=host, port=port, data_dir=data_dir, engine=engine, workers=workers, endpoint_id=endpoint_id
    )
    note_unknown_variables(os.environ)
    refuse_strangers(settings)
    configure_logs(settings.log_level, json_lines=settings.log_json)
    Parent(settings, announce_serve).run()


@PROGRAM.command(short_help="Work for a gateway on another machine.")
def worker(
    gateway: Annotated[str | None, typer.Option(help=described("gateway"))] = None,
    endpoint_id: EndpointId = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help=f"file with the worker key, a copy of the gateway's worker.key; or set {PREFIX}WORKER_KEY"),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="the worker key itself; whoever may list this machine's processes reads it there")
    ] = None,
    engine: EngineName = None,
    workers: Annotated[int | None, typer.Option(help=described("workers"))] = None,
    acestep_api_url: Annotated[str | None, typer.Option(help=described("acestep_api_url"))] = None,
) -> None:
    """Run workers for a gateway on another machine (or, in a Runpod container, for the platform)."""
    from acestep_serverless.cli.serving import run_worker_command, worker_key_from

    settings = Settings.load(
        gateway=gateway,
        endpoint_id=endpoint_id,
        worker_key=worker_key_from(key, key_file),
        engine=engine,
        workers=workers,
        acestep_api_url=acestep_api_url,
    )
    sys.argv = sys.argv[:1]  # The SDK reads the command line for flags of its own.
    run_worker_command(settings, os.environ)


@PROGRAM.command("acestep-api", short_help="Run the ACE-Step REST API alone.")
def acestep_api(
    host: Annotated[str, typer.Option(help="address to listen on; anything but loopback needs a key")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="port to listen on; 0 takes a free one")] = 8001,
    data_dir: DataDir = None,
    engine: EngineName = None,
) -> None:
    """Run only the ACE-Step REST API, as the upstream project's server does; its tasks lie in the data folder."""
    from acestep_serverless.assembly.standalone import serve_api

    serve_api(Settings.load(data_dir=data_dir, engine=engine), host, port)


PROGRAM.command(cls=FieldsCommand, short_help="Make songs, here or at an endpoint.")(generate)
PROGRAM.command(short_help="Show jobs at an endpoint.")(status)
PROGRAM.command(short_help="Cancel jobs at an endpoint.")(cancel)
PROGRAM.command(short_help="Save the songs of jobs at an endpoint.")(download)


@PROGRAM.command(
    "mcp",
    short_help="Give AI agents tools to make music.",
    add_help_option=False,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def mcp_command(context: typer.Context) -> None:
    """Give AI agents tools to make music, over the Model Context Protocol (see mcp --help)."""
    hand_over("acestep_serverless.mcp", context.args)


@PROGRAM.command(short_help="Say what is installed and what is missing.")
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, which engine would be used and why, and what would mend what is missing."""
    from acestep_serverless.cli.checking import print_report
    from acestep_serverless.cli.serving import note_unknown_variables

    note_unknown_variables(os.environ)
    raise typer.Exit(print_report(Settings.load(), as_json=as_json))


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"acestep-serverless {__version__}")
        raise typer.Exit


@PROGRAM.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Music generation as a serverless endpoint, on Runpod or on your own machines."""


def main() -> None:
    """Run the program: errors that are ours, and files that cannot be read or written, are one line on standard error,
    exit code 1 (2 for a wrong command line)."""
    try:
        PROGRAM()
    except AcestepServerlessError as error:
        sys.exit(f"acestep-serverless: {error}")
    except OSError as error:
        if error.filename is None:
            raise  # Not about a file: a defect, whose place somebody wants to know.
        sys.exit(f"acestep-serverless: {error.filename} cannot be used: {error.strerror}")
