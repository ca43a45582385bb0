"""Which code blocks do the documents hold, and what is in a shell one? Every fence; commands as words."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from documents import ROOT
from markdown_it import MarkdownIt

ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
SEPARATORS = re.compile(r"[();&|\n]+")
COMMENT = re.compile(r"(^|\s)# [^\n]*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block: its page, the line it begins at (from 1), its language, and its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        """Name the block as editors do."""
        return f"{self.page}:{self.line}"


def fences(path: Path) -> list[Fence]:
    """Every fenced block of a page, those inside lists as well."""
    page = str(path.relative_to(ROOT))
    return [
        Fence(page, (token.map or [0])[0] + 1, token.info.strip(), token.content)
        for token in MarkdownIt().enable("table").parse(path.read_text("utf-8"))
        if token.type == "fence"
    ]


def simple_commands(script: str) -> list[list[str]]:
    """Split a script into its commands, each as words without the assignments before it; those inside `$( )` are
    commands of their own. Quoted text and continued lines stay whole."""
    text = COMMENT.sub("", script).replace("\\\n", " ")
    lexer = shlex.shlex(text, posix=True, punctuation_chars="();&|\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    commands: list[list[str]] = [[]]
    for word in lexer:
        if SEPARATORS.fullmatch(word):
            commands.append([])
        elif commands[-1] or not ASSIGNMENT.match(word):
            commands[-1].append(word)
    return [command for command in commands if command]
