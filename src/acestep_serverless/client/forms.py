"""How do parameters and files travel together? As a multipart form: every value as the text that all servers read."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from acestep_serverless.contract.media import MEDIA_TYPES


@contextmanager
def multipart(parameters: Mapping[str, object], files: Mapping[str, Path]) -> Iterator[dict[str, Any]]:
    """Open the files and give what `httpx` sends as a form. A list is a repeated field, null is left out."""
    with ExitStack() as opened:
        yield {
            "data": {name: _texts(value) for name, value in parameters.items() if value is not None},
            "files": {
                field: (path.name, opened.enter_context(path.open("rb")), _media_type(path))
                for field, path in files.items()
            },
        }


def _texts(value: object) -> str | list[str]:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return [str(_texts(item)) for item in value]
    return str(value)


def _media_type(path: Path) -> str:
    return MEDIA_TYPES.get(path.suffix.removeprefix("."), "application/octet-stream")
