"""Which errors can a route answer with? Said in an app's OpenAPI description, which would tell of the framework's own.

The framework adds a 422 to every route with a parameter, though ours read them as text and judge them by themselves.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPMethod
from typing import Any

Document = dict[str, Any]
Schema = Mapping[str, Any]

METHODS = frozenset(method.lower() for method in HTTPMethod)
FRAMEWORKS = ("HTTPValidationError", "ValidationError")
"""The framework's schemas of an answer that never comes."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that a route can answer with: when, the name of its JSON body's schema, and its headers by name, each
    with its meaning."""

    reason: str
    body: str = "Error"
    headers: Mapping[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """Give the Response Object of OpenAPI 3.1."""
        schema = {"$ref": f"#/components/schemas/{self.body}"}
        answer: dict[str, Any] = {
            "description": self.reason,
            "content": {"application/json": {"schema": schema}},
        }
        if self.headers:
            answer["headers"] = {name: header(meaning) for name, meaning in self.headers.items()}
        return answer


Refusals = Mapping[str, Refusal]
"""By status: three digits, or "4XX" and "5XX" for all that are not named."""


def header(meaning: str) -> dict[str, Any]:
    """Describe a header of an answer."""
    return {"description": meaning, "schema": {"type": "string"}}


def with_errors(document: Document, bodies: Mapping[str, Schema], refused: Callable[[str, str], Refusals]) -> Document:
    """Give a description whose operations have exactly the errors that `refused` names for their method (in small
    letters) and path, beside their successes. `bodies` are the schemas of the errors' bodies by name. The document
    itself is changed; doing it again changes nothing."""
    for path, row in document["paths"].items():
        for method in METHODS & row.keys():
            successes = {code: answer for code, answer in row[method]["responses"].items() if code < "3"}
            errors = {code: refusal.described() for code, refusal in sorted(refused(method, path).items())}
            row[method]["responses"] = successes | errors
    components = document.setdefault("components", {})
    schemas = components.get("schemas", {})
    components["schemas"] = {name: schemas[name] for name in schemas if name not in FRAMEWORKS} | dict(bodies)
    return document
