"""How do these pages become a site? Sphinx reads them as MyST Markdown, without the net."""

from sphinx.application import Sphinx

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


def setup(app: Sphinx) -> None:
    """Called by Sphinx before it reads the pages."""
    app.connect("include-read", links_of_the_root)
