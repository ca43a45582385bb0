"""How is any input field a flag? `--bpm 96` is read as `--set bpm=96` where the command has no flag of that name."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from typer.core import TyperCommand

from acestep_serverless.contract.music_fields import SPECS


class FieldsCommand(TyperCommand):
    """A command with `--set NAME=VALUE`, which takes the fields of an input as flags as well."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the line; a flag that is neither the command's nor a field is an error as before."""
        takes_value = {
            name: not getattr(parameter, "is_flag", False)
            for parameter in self.params
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        return super().parse_args(ctx, list(with_fields(args, takes_value)))


def with_fields(words: Sequence[str], takes_value: Mapping[str, bool]) -> Iterator[str]:
    """Give a line whose flags for fields are written with `--set`. `takes_value` has the command's own flags, whose
    values are left alone whatever they look like, and so is all behind `--`. A field with no value is true if it can
    be; of another `--set` says that one is missing."""
    left = deque(words)
    while left:
        word = left.popleft()
        name, equals, behind = word.partition("=")
        value: str | None = behind
        field = name.removeprefix("--").replace("-", "_")
        if name not in takes_value and name.startswith("--") and field in SPECS:
            if not equals:
                alone = "true" if SPECS[field].type == "boolean" else None
                flag_behind = not left or left[0].startswith("--") or left[0] in takes_value
                value = alone if flag_behind else left.popleft()
            yield from ("--set", field if value is None else f"{field}={value}")
            continue
        yield word
        if word == "--":
            yield from left
            return
        if left and takes_value.get(name) and not equals:
            yield left.popleft()
