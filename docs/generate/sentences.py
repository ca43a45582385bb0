"""What can the program say when something is wrong? Every sentence that is raised, by its class, from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from settings_table import table

import acestep_serverless
from acestep_serverless import errors

SOURCE = Path(acestep_serverless.__file__).parent
CLASSES = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}
SHORTEST = 8
"""Letters of a sentence at least; what is shorter is put together elsewhere."""


def text_of(node: ast.AST, gap: str = "...") -> str:
    """Give a text of the source with `gap` for each value that is put in; "" for what is no text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) if isinstance(part, ast.Constant) else gap for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def sentences(folder: Path = SOURCE) -> Iterator[tuple[str, str]]:
    """Give class and sentence of every error that is made with a sentence of its own below a folder."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                text = text_of(node.args[0])
                if node.func.id in CLASSES and sum(letter.isalpha() for letter in text) >= SHORTEST:
                    yield node.func.id, text


def sentences_table() -> str:
    """Write the table: each sentence once, with its class."""
    rows = sorted(set(sentences()))
    return table(["Kind", "What it says"], [[f"`{kind}`", f"`{text.replace('`', chr(39))}`"] for kind, text in rows])
