"""Is docs/architecture.md the house as it stands? Its map, floors, tests and file names are compared with the code."""

import ast
import re
from collections import Counter

from documents import ROOT, read, table

HOUSE = "docs/architecture.md"
SOURCE = ROOT / "src" / "acestep_serverless"


def floors_of_the_test() -> tuple[tuple[str, ...], ...]:
    """The table of floors that tests/test_architecture.py holds every import to."""
    tree = ast.parse(read("tests/test_architecture.py"))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    floors: tuple[tuple[str, ...], ...] = ast.literal_eval(assigned["FLOORS"])
    return floors


def mapped_files() -> list[str]:
    """Every file that the map names, relative to the package: the rows below each room's heading."""
    found = []
    room = ""
    for line in read(HOUSE).partition("## The map")[2].partition("\n## ")[0].splitlines():
        if heading := re.fullmatch(r"### `(.+)`", line):
            room = heading[1].removesuffix("/").removeprefix(".")
        elif row := re.match(r"\| `([^`]+\.py)` \|", line):
            found.append(f"{room}/{row[1]}".lstrip("/"))
    return found


def test_every_source_file_is_on_the_map_exactly_once() -> None:
    real = {str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py")}
    mapped = Counter(mapped_files())
    assert sorted(name for name in real if not name.endswith("__init__.py") and not mapped[name]) == []
    assert sorted(name for name in mapped if name not in real) == []
    assert sorted(name for name, times in mapped.items() if times > 1) == []


def test_the_floors_are_those_that_the_imports_are_held_to() -> None:
    drawn = read(HOUSE).partition("## Floors")[2].partition("```text\n")[2].partition("```")[0]
    shown = {int(line[0]): set(re.findall(r"[a-z_]+", re.split(r" {8,}", line[1:])[0])) for line in drawn.splitlines()}
    to_come = {"__main__"}
    assert shown == {floor: set(rooms) - to_come for floor, rooms in enumerate(floors_of_the_test())}


def test_all_eighteen_ways_to_lose_a_job_are_answered_by_tests_that_exist() -> None:
    rows = table(HOUSE, "#")
    assert [row[0] for row in rows] == [str(number) for number in range(1, 19)]
    existing = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))
    }
    named = [name for row in rows for name in re.findall(r"`(test_\w+)`", row[4])]
    assert [name for name in named if name not in existing] == []
    assert [row[0] for row in rows if "`test_" not in row[4]] == []


def test_every_file_that_the_traps_name_exists() -> None:
    named = {name for row in table(HOUSE, "#") for name in re.findall(r"`([a-z_/]+\.py)`", row[3])}
    assert sorted(name for name in named if not (SOURCE / name).is_file()) == []


def test_the_python_versions_are_those_of_the_build() -> None:
    (versions,) = re.findall(r'^requires-python = "(.+)"$', read("pyproject.toml"), re.MULTILINE)
    assert f"`requires-python` is `{versions}`" in read(HOUSE)
    assert "Python 3.11 to 3.14" in read("README.md")
    assert versions == ">=3.11,<3.15"
