"""What does `models` show and do? Which weights exist and are here, fetching them with a bar, checking them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from acestep_serverless.cli.flags import AsJson, described
from acestep_serverless.cli.words import say, say_json, say_table
from acestep_serverless.settings import Settings

MODELS = typer.Typer(help="List, download and verify the weights of the real model.", no_args_is_help=True)
ModelsDir = Annotated[Path | None, typer.Option("--models-dir", help=described("models_dir"))]


@MODELS.command("list", short_help="List what is published, and what of it is here.")
def models_list(models_dir: ModelsDir = None, as_json: AsJson = False) -> None:
    """List the published models and planners, and which of them are here."""
    from acestep_serverless.assembly import weights

    rows = weights.models_list(Settings.load(models_dir=models_dir))
    if as_json:
        say_json(rows)
        return
    heads = ("name", "kind", "size", "here", "what it is")
    say_table(heads, [(row["name"], row["kind"], _size(row), row["here"], row["about"]) for row in rows])


@MODELS.command("download", short_help="Fetch models with what they need.")
def models_download(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="names of `models list`")],
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Fetch models with what they need, into models_dir or Hugging Face's cache; goes on where it was stopped."""
    from acestep_serverless.assembly import weights

    settings = Settings.load(models_dir=models_dir)
    columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("asking what there is", total=None)

        def told(done: int, total: int, name: str) -> None:
            progress.update(bar, completed=done, total=total, description=name)

        fetched = weights.models_download(settings, names, told)
    if as_json:
        say_json(fetched)
        return
    for file in fetched["files"] if isinstance(fetched["files"], list) else ():
        say(str(file))


@MODELS.command("verify", short_help="Check what is here, by shapes and hashes.")
def models_verify(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="none: all that are here")] = None,
    models_dir: ModelsDir = None,
    as_json: AsJson = False,
) -> None:
    """Check names, shapes and recorded hashes of what is here; the exit code is 1 when something is wrong."""
    from acestep_serverless.assembly import weights

    settings = Settings.load(models_dir=models_dir)
    with Console(stderr=True).status("looking") as status:
        rows = weights.models_verify(settings, names or (), lambda text: status.update(text))
    if as_json:
        say_json(rows)
    else:
        for row in rows:
            _say_verdict(row)
    raise typer.Exit(1 if any(row["problems"] for row in rows) else 0)


def _say_verdict(row: Mapping[str, Any]) -> None:
    for problem in row["problems"]:
        say(f"WRONG   {row['name'] or 'weights'}: {problem}")
    if not row["problems"]:
        unrecorded = f", {len(row['unrecorded'])} without a recorded hash" if row["unrecorded"] else ""
        say(f"ok      {row['name']}: names and shapes fit, {row['hashed']} of {row['files']} files hashed{unrecorded}")


def _size(row: Mapping[str, Any]) -> str | None:
    return None if row["bytes"] is None else f"{row['bytes'] / 1e9:.1f} GB"
