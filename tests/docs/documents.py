"""How do tests read the documents? Code blocks by language, tables as rows, curl commands as requests."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced code blocks of one language, in order."""
    return [text for word, text in _BLOCK.findall(read(name)) if word == language]


def commands(name: str) -> list[str]:
    """The shell commands of a document: continued lines joined, comments and empty lines left out."""
    text = "\n".join(blocks(name, "bash")).replace("\\\n", " ")
    found, quoted = [], ""
    for line in text.splitlines():
        quoted = f"{quoted}\n{line}" if quoted else line
        if quoted.count("'") % 2 == 0:
            found.append(quoted.strip())
            quoted = ""
    return [command for command in found if command and not command.startswith("#")]


def table(name: str, first_header: str) -> list[list[str]]:
    """The rows of the table whose first column has this header; cells without the backquotes around them."""
    lines = read(name).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


@dataclass(frozen=True, slots=True)
class CurlRequest:
    """What a curl command asks for, and the file it would write."""

    method: str
    url: str
    headers: dict[str, str]
    body: str | None
    output: str | None

    def send(self, http: httpx.Client) -> httpx.Response:
        return http.request(self.method, self.url, headers=self.headers, content=self.body)


def parse_curl(command: str) -> CurlRequest:
    """Read a curl command with the options that the documents use; any other option is an error."""
    program, *words = shlex.split(command)
    assert program == "curl", command
    options: dict[str, list[str]] = {"-X": [], "-H": [], "-d": [], "-o": []}
    urls = []
    while words:
        word = words.pop(0)
        if word.startswith("-"):
            options[word].append(words.pop(0))
        else:
            urls.append(word)
    assert len(urls) == 1, command
    headers = dict(header.split(": ", 1) for header in options["-H"])
    body = options["-d"][0] if options["-d"] else None
    method = options["-X"][0] if options["-X"] else ("POST" if body else "GET")
    return CurlRequest(method, urls[0], headers, body, options["-o"][0] if options["-o"] else None)


def missing_keys(shown: Any, real: Any, where: str = "") -> list[str]:
    """Every key of a document's JSON example that the real answer does not have, as a dotted path."""
    if isinstance(shown, dict) and isinstance(real, dict):
        absent = [f"{where}.{key}" for key in shown if key not in real]
        return absent + [
            path for key in shown if key in real for path in missing_keys(shown[key], real[key], f"{where}.{key}")
        ]
    if isinstance(shown, list) and isinstance(real, list) and shown and real:
        return missing_keys(shown[0], real[0], f"{where}[0]")
    return [] if type(shown) is type(real) else [f"{where} is {json.dumps(shown)}, not {json.dumps(real)}"]
