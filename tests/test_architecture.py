"""Does the code keep the house's rules? Floors, imports, sizes, docstrings, and what must not be said in any file.

The checker of the floors is a pure function over source texts, so that it can be shown a small house
with a breach in it.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "acestep_serverless"
SOURCE = ROOT / "src" / PACKAGE

FLOORS = (
    ("errors", "clock", "settings", "logs", "interrupts"),
    ("contract", "access", "outbound"),
    ("audio", "artifacts", "database"),
    ("jobs", "registry", "engines", "client"),
    ("gateway", "worker", "acestep_api", "fleet", "studio"),
    ("assembly",),
    ("cli", "mcp", "__main__"),
)
"""Rooms by floor, the lowest first; imports only go down. The four files of the ground may use each other, and
`__main__` is the street door of `cli`."""

FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
SHARED = {("__main__", "cli"), *((lower, other) for lower in FLOORS[0] for other in FLOORS[0])}
SDK_ROOMS = {"worker"}
ENVIRONMENT_ROOMS = {
    "settings": "reads the one variable that names the settings file",
    "assembly": "hands the environment to workers and children",
    "cli": "hands the environment to `assembly`",
    "worker": "is handed the environment, and sets the SDK's variables in it",
}
ENVIRONMENT_WRITERS = {"worker"}
ENVIRONMENT_CHANGES = {"update", "setdefault", "pop", "popitem", "clear", "__setitem__", "__delitem__"}

FILE_CEILING = 400
FUNCTION_CEILING = 70


def imported_modules(tree: ast.AST, package: tuple[str, ...]) -> Iterator[str]:
    """Yield every module a file imports, anywhere in it: statements, relative ones, `importlib.import_module("...")`.

    `package` is the dotted package the file lies in; `from a import b` yields "a.b", since b may be a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            start = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{start}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (str(word.value) for word in node.args[:1] if isinstance(word, ast.Constant))


def room_of(dotted: str) -> str | None:
    """Name the room of "acestep_serverless.jobs.desk" ("jobs"); None for what belongs to no room or to nobody here."""
    parts = dotted.split(".")
    return parts[1] if parts[0] == PACKAGE and len(parts) > 1 and parts[1] != "__version__" else None


def breaches(files: Mapping[str, str]) -> list[str]:
    """List every breach in a package given as {"jobs/desk.py": source}: one sentence each, in the files' order."""
    found: list[str] = []
    for path, source in files.items():
        own = Path(path).parts[0].removesuffix(".py")
        if own == "__init__":
            continue  # The package's own front page is on no floor: it holds the version.
        tree = ast.parse(source)
        if own not in FLOOR_OF:
            found.append(f"{path}: {own} is on no floor; give it one in DESIGN and here")
            continue
        found += _import_breaches(path, own, imported_modules(tree, (PACKAGE, *Path(path).parts[:-1])))
        found += _environment_breaches(path, own, tree)
    return found


def _import_breaches(path: str, own: str, modules: Iterator[str]) -> Iterator[str]:
    for module in dict.fromkeys(modules):
        other = room_of(module)
        if module.split(".")[0] == "runpod" and own not in SDK_ROOMS:
            yield f"{path}: imports runpod, which only {', '.join(sorted(SDK_ROOMS))} may"
        if other is None or other == own or (own, other) in SHARED:
            continue
        if other not in FLOOR_OF:
            yield f"{path}: imports {module}, which is on no floor"
        elif FLOOR_OF[other] == FLOOR_OF[own]:
            yield f"{path}: {own} imports {other}, which is on the same floor"
        elif FLOOR_OF[other] > FLOOR_OF[own]:
            yield f"{path}: {own} imports {other}, which is above it"


def _environment_breaches(path: str, own: str, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        text = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Subscript) else ""
        if text in {"os.environ", "os.getenv", "os.putenv", "os.environb"} and own not in ENVIRONMENT_ROOMS:
            yield f"{path}: {text} in {own}; the environment is handed in, and read in settings"
        changed = isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del)
        called = isinstance(node, ast.Attribute) and node.attr in ENVIRONMENT_CHANGES
        of_environment = text.startswith("os.environ") or text == "os.putenv"
        if of_environment and (changed or called or text == "os.putenv") and own not in ENVIRONMENT_WRITERS:
            yield f"{path}: changes the environment ({text}), which only worker may"


def source_files() -> dict[str, str]:
    return {str(path.relative_to(SOURCE)): path.read_text(encoding="utf-8") for path in sorted(SOURCE.rglob("*.py"))}


def all_python() -> list[Path]:
    folders = [path for name in ("src", "tests", "bench") for path in sorted((ROOT / name).rglob("*.py"))]
    return [ROOT / "handler.py", *folders]


def test_every_import_goes_down() -> None:
    assert breaches(source_files()) == []


@pytest.mark.parametrize(
    ("path", "source", "said"),
    [
        ("jobs/desk.py", "from acestep_serverless.gateway.app import create_gateway", "which is above it"),
        ("jobs/desk.py", "import acestep_serverless.registry.workers", "on the same floor"),
        ("jobs/desk.py", "from acestep_serverless import worker", "which is above it"),
        ("gateway/app.py", "def route():\n    from acestep_serverless.worker.handler import handle", "same floor"),
        ("gateway/app.py", "from ..assembly import core", "which is above it"),
        ("gateway/app.py", "import importlib\nimportlib.import_module('acestep_serverless.cli')", "which is above it"),
        ("client/acestep.py", "import runpod.serverless", "imports runpod"),
        ("assembly/worker.py", "def late():\n    import runpod", "imports runpod"),
        ("cellar/wine.py", "x = 1", "is on no floor"),
        ("jobs/desk.py", "from acestep_serverless.cellar import wine", "on no floor"),
        ("errors.py", "from acestep_serverless.contract.job import JobState", "which is above it"),
        ("engines/base.py", "import os\nhome = os.environ['HOME']", "os.environ in engines"),
        ("gateway/app.py", "import os\nhome = os.getenv('HOME')", "os.getenv in gateway"),
        ("assembly/serve.py", "import os\nos.environ['A'] = 'b'", "changes the environment"),
        ("cli/program.py", "import os\nos.environ.setdefault('A', 'b')", "changes the environment"),
        ("cli/program.py", "import os\ndel os.environ['A']", "changes the environment"),
    ],
)
def test_a_breach_in_a_small_house_is_reported(path: str, source: str, said: str) -> None:
    sound = {
        "__init__.py": '__version__ = "1"',
        "errors.py": "",
        "jobs/store.py": "from acestep_serverless import errors",
    }
    assert breaches(sound) == []
    reported = breaches({**sound, path: source})
    assert len(reported) == 1, reported
    assert reported[0].startswith(f"{path}: ")
    assert said in reported[0]


def test_imports_that_go_down_are_no_breach() -> None:
    house = {
        "settings.py": "import os\nfrom acestep_serverless.errors import SettingsError\nname = os.environ.get('A')",
        "gateway/app.py": "from acestep_serverless import __version__\nfrom acestep_serverless.jobs import desk",
        "gateway/files.py": "from . import app\nfrom ..artifacts import shelf",
        "worker/sdk.py": "import importlib, os\nsdk = importlib.import_module('runpod')\nos.environ['A'] = 'b'",
        "__main__.py": "from acestep_serverless.cli import main",
    }
    assert breaches(house) == []


HEAVY = ("torch", "numpy", "runpod", f"{PACKAGE}.engines.sketch", f"{PACKAGE}.engines.acestep")
LIGHT_STARTS = {
    "--help": f"import sys\nsys.argv = ['acestep-serverless', '--help']\nfrom {PACKAGE}.cli import main\n"
    "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in (0, None)",
    "the gateway's app": f"import {PACKAGE}.gateway.app",
    "the gateway's core": f"import {PACKAGE}.assembly.core",
    "the client": f"import {PACKAGE}.client.gateway",
    "the ACE-Step client": f"import {PACKAGE}.client.acestep",
    "the engines' front page": f"import {PACKAGE}.engines",
}


@pytest.mark.parametrize("start", [name for name in LIGHT_STARTS if name != "the engines' front page"])
def test_it_starts_without_torch_engine_numpy_or_sdk(start: str) -> None:
    assert _heavy_modules_after(LIGHT_STARTS[start]) == []


def test_naming_the_engines_imports_none_of_them() -> None:
    loaded = _heavy_modules_after(LIGHT_STARTS["the engines' front page"])
    assert set(loaded) <= {"numpy"}  # `engines.base` speaks of clips, which are arrays


def _heavy_modules_after(code: str) -> list[str]:
    script = f"{code}\nimport sys\nprint('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("LOADED")[2].split()


def test_no_file_is_longer_than_the_ceiling() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in all_python()}
    assert {str(path): lines for path, lines in lengths.items() if lines > FILE_CEILING} == {}


def test_no_function_is_longer_than_the_ceiling() -> None:
    assert [where for path in all_python() for where in long_functions(path.name, path.read_text("utf-8"))] == []


def long_functions(name: str, source: str) -> list[str]:
    functions = [
        node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return [
        f"{name}:{node.lineno} {node.name}"
        for node in functions
        if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_CEILING
    ]


def test_a_long_function_is_noticed() -> None:
    source = "async def endless():\n" + "    pass\n" * FUNCTION_CEILING
    assert long_functions("a.py", source) == ["a.py:1 endless"]
    assert long_functions("a.py", source.removesuffix("    pass\n")) == []


def test_every_file_says_which_question_it_answers() -> None:
    silent = [str(path) for path in all_python() if path.is_relative_to(SOURCE) and not _docstring(path)]
    assert silent == []
    assert _docstring(ROOT / "handler.py")


def test_every_room_says_what_it_is_for() -> None:
    rooms = sorted(path for path in SOURCE.iterdir() if (path / "__init__.py").is_file())
    assert {path.name for path in rooms} <= set(FLOOR_OF)
    assert [path.name for path in rooms if len(_docstring(path / "__init__.py")) < 30] == []


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def test_no_text_names_a_package_index_or_this_machine() -> None:
    """Installing must work with whatever index its user has; this list is spelled in pieces to stay clean itself."""
    words = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "--index" + "-url",
        "--extra-index" + "-url",
        "trusted" + "-host",
    ]
    words += ["find" + "-links", "download.py" + "torch.org"]
    if len(ROOT.parts) > 2:
        words.append(str(ROOT))
    pattern = re.compile("|".join(map(re.escape, words)), re.IGNORECASE)
    texts = [
        *(ROOT / name for name in ("Makefile", "pyproject.toml", "constraints.txt", ".ci/run")),
        *ROOT.glob("*.md"),
    ]
    texts += [*(ROOT / "docs").rglob("*.md"), *all_python()]
    assert [str(path) for path in texts if path.is_file() and pattern.search(path.read_text(encoding="utf-8"))] == []
