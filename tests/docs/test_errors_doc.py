"""Does docs/errors.md say what the program says? Sentences, classes and codes are compared."""

import ast
import inspect
import re
import sys
from functools import cache

import httpx
import pytest
from doc_endpoint import KEY, Served
from documents import ROOT, read, table

sys.path.insert(0, str(ROOT / "docs" / "generate"))
from sentences import SOURCE, sentences

from acestep_serverless import errors
from acestep_serverless.client import endings, exchange
from acestep_serverless.gateway.failures import STATUS_CODES

PAGE = "docs/errors.md"
OPEN = "\N{BLACK SQUARE}"
"""Stands for what differs from case to case."""


def _text(node: ast.AST) -> str:
    """A text of the source with `OPEN` for each value that is put in; "" for what is no text."""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else OPEN for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"[{]\w*[}]", OPEN, node.value)
    return ""


@cache
def said_by_the_code() -> tuple[str, ...]:
    """Every text in the source that holds as much as a short sentence."""
    trees = (ast.parse(path.read_text("utf-8")) for path in (ROOT / "src").rglob("*.py"))
    texts = {_text(node) for tree in trees for node in ast.walk(tree)}
    return tuple(text for text in texts if len(re.sub(r"\W", "", text)) >= 8)


def _fits(pieces: list[str], text: str) -> bool:
    """Tell whether the text is these pieces in order, with anything between them: `.*` without a search's cost."""
    at = 0
    for number, piece in enumerate(pieces):
        found = text.find(piece, at)
        if found < 0 or (number == 0 and found > 0):
            return False
        at = found + len(piece)
    return text.endswith(pieces[-1])


def _is_said(sentence: str) -> bool:
    """Tell whether some text of the code can become the sentence, or fills its gaps."""
    filled, pieces = sentence.replace("...", OPEN), sentence.split("...")
    return any(_fits(pieces, text) or _fits(text.split(OPEN), filled) for text in said_by_the_code())


def quoted() -> list[str]:
    """Every sentence of the page: the first cells of tables, and the paragraphs that begin with one."""
    return re.findall(r"^(?:\| )?`([^`]+)`(?:: | \|)", read(PAGE).partition("## In Python")[0], re.MULTILINE)


def test_every_sentence_is_one_that_the_code_says() -> None:
    sentences = [sentence for sentence in quoted() if " " in sentence]
    assert len(sentences) > 45
    # A problem of a field is put together: its name, what is allowed, what was given.
    allowed = [re.sub(r"^\w+: |, got \.\.\.$", "", sentence) for sentence in sentences]
    assert [one for one, part in zip(sentences, allowed, strict=True) if not (_is_said(one) or _is_said(part))] == []


@pytest.mark.parametrize("room", ["gateway", "jobs", "registry", "database"])
def test_every_sentence_of_the_gateway_is_on_the_page(room: str) -> None:
    pages = quoted()
    raised = {text for _, text in sentences(SOURCE / room)}
    lost = [
        text
        for text in raised
        if not any(_fits(one.split("..."), text) or _fits(text.split("..."), one) for one in pages)
    ]
    assert lost == []


def test_every_status_code_has_its_section() -> None:
    codes = {int(code) for code in re.findall(r"^### (\d+)$", read(PAGE), re.MULTILINE)}
    assert codes == {*STATUS_CODES.values(), 403, 405, 416, 500}
    listed = {row[0].strip("`"): row[2] for row in table(PAGE, "Class")}
    assert {kind.__name__: str(code) for kind, code in STATUS_CODES.items()}.items() <= listed.items()


def test_every_class_of_error_is_in_the_table() -> None:
    known = {
        name
        for room in (errors, endings, exchange)
        for name, kind in inspect.getmembers(room, inspect.isclass)
        if issubclass(kind, errors.AcestepServerlessError)
    }
    assert {row[0].strip("`") for row in table(PAGE, "Class")} == known


@pytest.mark.parametrize(
    ("method", "path", "key", "body", "code"),
    [
        ("POST", "/v2/ace-step/run", KEY, b"{", 400),
        ("POST", "/v2/ace-step/runsync?wait=90", KEY, b'{"input": {}}', 400),
        ("GET", "/v2/ace-step/health", "", b"", 401),
        ("GET", "/v2/ace-step/health", "wrong", b"", 401),
        ("GET", "/v2/nowhere/health", KEY, b"", 404),
        ("GET", "/v2/ace-step/status/none", KEY, b"", 404),
        ("GET", "/v1/audio?filename=none.mp3", KEY, b"", 404),
        ("GET", "/nothing", KEY, b"", 404),
        ("POST", "/v2/ace-step/runn", KEY, b"", 404),
        ("GET", "/v1/audio", KEY, b"", 400),
        ("GET", "/v2/ace-step/run", KEY, b"", 405),
    ],
)
def test_a_running_endpoint_says_so(served: Served, method: str, path: str, key: str, body: bytes, code: int) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    answer: httpx.Response = served.http.request(method, served.url + path, headers=headers, content=body)
    section = read(PAGE).partition(f"### {code}\n")[2].partition("\n### ")[0]
    patterns = [re.escape(text).replace(r"\.\.\.", ".*") for text in re.findall(r"`([^`]+)`", section) if " " in text]
    assert answer.status_code == code
    assert any(re.fullmatch(pattern, answer.json()["error"]) for pattern in patterns), answer.text


def test_every_route_of_the_page_asks_for_the_key(served: Served) -> None:
    routes = re.findall(r"^## `([A-Z]+) (\S+)`$", read("docs/http.md"), re.MULTILINE)
    described = served.http.get(f"{served.url}/openapi.json").json()["paths"]
    assert len(routes) == sum(len(methods) for methods in described.values()) > 20
    for method, path in routes:
        place = re.sub(r"[{]\w+[}]", "x", path.replace("{endpoint_id}", "ace-step"))
        assert served.http.request(method, served.url + place).status_code == 401, path
