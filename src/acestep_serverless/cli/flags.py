"""How is a setting spelled as a flag? Its name with dashes; its help names meaning, variable and default."""

from pathlib import Path
from typing import Annotated

import typer

from acestep_serverless.settings import PREFIX, Settings


def described(name: str) -> str:
    """Give the help of a setting's flag."""
    field = Settings.model_fields[name]
    return f"{field.description} [{PREFIX}{name.upper()}; default {_default(field.default)}]"


def _default(value: object) -> str:
    shown = value if isinstance(value, str | int | float | Path) else ""
    return str(shown) or "none"


Host = Annotated[str | None, typer.Option(help=described("host"))]
Port = Annotated[int | None, typer.Option(help=described("port"))]
EngineName = Annotated[str | None, typer.Option("--engine", help=described("engine"))]
DataDir = Annotated[Path | None, typer.Option("--data-dir", help=described("data_dir"))]
EndpointId = Annotated[str | None, typer.Option("--endpoint-id", help=described("endpoint_id"))]
AsJson = Annotated[bool, typer.Option("--json", help="one line of JSON for machines")]
