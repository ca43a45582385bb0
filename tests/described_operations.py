"""What does a description say of each operation, and was a real answer one of those that it names?"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import jsonschema_rs

METHODS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class Operation:
    """A route as it is described."""

    method: str
    path: str
    about: dict[str, Any]

    def place(self, **names: str) -> str:
        """Its path with these names in it, "x" for any other, and no query."""
        return re.sub(r"[{](\w+)[}]", lambda found: names.get(found[1], "x"), self.path)

    @property
    def queries(self) -> list[str]:
        return [one["name"] for one in self.about.get("parameters", ()) if one["in"] == "query"]

    @property
    def errors(self) -> set[str]:
        return {code for code in self.about["responses"] if code >= "4"}


class Description:
    """An OpenAPI description, and which of its answers have been seen."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.components = document["components"]
        self.operations = [
            Operation(method, path, row[method])
            for path, row in document["paths"].items()
            for method in METHODS
            if method in row
        ]
        self.seen: defaultdict[str, set[str]] = defaultdict(set)

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.operations)

    def see(self, operation: Operation, answer: httpx.Response) -> str:
        """Hold an answer against the description; gives the line that it falls under."""
        said, code = operation.about["responses"], str(answer.status_code)
        line = code if code in said else f"{code[0]}XX"
        where = f"{operation.method} {operation.path}: {code} {answer.text[:200]}"
        assert line in said, where
        self.seen[operation.method + operation.path].add(line)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        assert kind in said[line]["content"], f"{where} ({kind})"
        if kind == "application/json":
            schema = {"components": self.components, **said[line]["content"][kind].get("schema", {})}
            jsonschema_rs.validator_for(schema).validate(json.loads(answer.text))
        missing = [name for name in said[line].get("headers", {}) if name not in answer.headers]
        assert not missing, f"{where} lacks {missing}"
        return code

    def lacking(self, *not_looked_for: str) -> dict[str, set[str]]:
        """The errors that are described and were never seen, by operation."""
        names = {f"{one.method} {one.path}": one for one in self.operations}
        kept = {name: one.errors - self.seen[one.method + one.path] - {*not_looked_for} for name, one in names.items()}
        return {name: lines for name, lines in kept.items() if lines}
