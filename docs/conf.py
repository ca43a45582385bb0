"""How do these pages become a site? Sphinx reads them as MyST Markdown, without the net."""

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent / "generate"))
from marks import filled
from sentences import sentences_table

project = "acestep-serverless"
author = "the contributors of acestep-serverless"
html_title = "acestep-serverless"

extensions = ["myst_parser"]
html_theme = "furo"
html_copy_source = False
html_show_copyright = False
exclude_patterns = ["_build", "generate"]
# The anchors that GitHub gives to headings as well, so that a link works in both places.
myst_heading_anchors = 4
nitpicky = True

ROOT_FILES = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""The files of the repository's root, and the pages of the site that stand for them."""


def links_of_the_root(_: Sphinx, __: object, ___: str, content: list[str]) -> None:
    """Let the links of a file of the root, which a page includes, lead from `docs/`."""
    text = content[0].replace("](docs/", "](")
    for name, page in ROOT_FILES.items():
        text = text.replace(f"]({name}", f"]({page}")
    content[0] = text


def sentences(_: Sphinx, page: str, content: list[str]) -> None:
    """Put every sentence of the source into the page about errors: they change too often to be kept there."""
    if page == "errors":
        content[0] = filled(content[0], "sentences", sentences_table(), "written when the site is built")


def setup(app: Sphinx) -> None:
    """Called by Sphinx before it reads the pages."""
    app.connect("include-read", links_of_the_root)
    app.connect("source-read", sentences)
