"""Which settings are there? The tables of docs/configuration.md, from the fields of `Settings`."""

from collections.abc import Sequence

from annotated_types import Ge, Gt, Le, Lt
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from acestep_serverless.settings import PREFIX, Settings


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    secret = value.get_secret_value() if isinstance(value, SecretStr) else value
    return f"`{secret}`" if secret not in ("", (), {}, None) else "-"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table; a bar inside a cell is escaped."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *cells]
    text = ["| " + " | ".join(line) + " |" for line in lines]
    text[1] = "|" + "---|" * len(header)
    return "\n".join(text)


def settings_table() -> str:
    """Every setting with its variable, its default and its meaning."""
    rows = [
        [f"`{name}`", f"`{PREFIX}{name.upper()}`", _default(field.default), field.description or ""]
        for name, field in Settings.model_fields.items()
    ]
    return table(["Setting", "Variable", "Default", "Meaning"], rows)


def _bounds(field: FieldInfo) -> tuple[str, str]:
    low = high = ""
    for rule in field.metadata:
        match rule:
            case Ge(ge=number):
                low = f"{number:,}"
            case Gt(gt=number):
                low = f"more than {number:,}"
            case Le(le=number):
                high = f"{number:,}"
            case Lt(lt=number):
                high = f"less than {number:,}"
            case _:
                pass
    return low, high


def bounds_table() -> str:
    """Every setting that is a number with its smallest and its largest value."""
    bounds = {name: _bounds(field) for name, field in Settings.model_fields.items()}
    rows = [[f"`{name}`", low, high] for name, (low, high) in bounds.items() if low or high]
    return table(["Number", "From", "To"], rows)
