"""What does `generate` show? A bar for each song that is being made, then where they are and what they became."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from acestep_serverless.assembly.many import Made
from acestep_serverless.cli.words import printable, say, say_json
from acestep_serverless.client import Generation, Job
from acestep_serverless.client.makes import LOCAL_JOB

LONGEST_NAME = 24


class Bars:
    """Progress on standard error: one bar for each wish that is being made, and one for the whole list."""

    def __init__(self, names: list[str], *, listed: bool) -> None:
        columns = (
            TextColumn("{task.fields[name]:>24}"),
            BarColumn(40),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
        )
        console = Console(stderr=True)
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._names, self._bars = names, dict[int, TaskID]()
        self._whole = self._progress.add_task("", total=len(names), name="all") if listed else None

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Take the bars away while something else is printed: on a terminal the lines would run into each other."""
        self._progress.stop()
        yield
        self._progress.start()

    def loading(self, stage: str) -> None:
        """Show what the engine is doing as it loads."""
        self._move(0, 0.0, stage)

    def see(self, index: int, job: Job) -> None:
        """Show a job as it is now."""
        self._move(index, 1.0 if job.final else job.progress or 0.0, job.stage or job.state.lower().replace("_", " "))

    def over(self, made: Made) -> None:
        """Take a bar away whose songs are made or will not be."""
        if made.index in self._bars:
            self._progress.remove_task(self._bars.pop(made.index))
        if self._whole is not None:
            self._progress.advance(self._whole)

    def _move(self, index: int, completed: float, words: str) -> None:
        if index not in self._bars:
            name = printable(self._names[index])[:LONGEST_NAME]
            self._bars[index] = self._progress.add_task("", total=1.0, name=name)
        self._progress.update(self._bars[index], completed=completed, description=printable(words)[:40])


def say_made(made: Made, *, as_json: bool, listed: bool) -> None:
    """Print what became of a wish: a line for each song, or for its error; as JSON one object a line."""
    where = f"item {made.index + 1}: " if listed else ""
    if as_json:
        for line in json_lines(made):
            say_json(line)
    elif made.error is not None:
        say(f"{where}{made.error}", aside=True)
    elif made.generation is None:
        for path in made.files:
            say(f"{path}  (made before)")
    else:
        for text in song_lines(with_files(made.generation, made.files)) or [json.dumps(made.generation.output)]:
            say(text)


def json_lines(made: Made) -> list[dict[str, Any]]:
    """Describe a wish's songs for machines; one that failed is an object with `error`."""
    head = {"item": made.index + 1, "job": made.job_id}
    if made.error is not None:
        return [{**head, "error": str(made.error)}]
    if made.generation is None:
        return [{**head, "file": str(path), "made_before": True} for path in made.files]
    output = with_files(made.generation, made.files)
    if not output["results"]:
        return [{**head, "output": made.generation.output}]  # of a handler that is not this project's
    warnings = output.get("warnings", [])
    if made.job_id.startswith(LOCAL_JOB):
        for result in output["results"]:
            result.pop("url", None)  # of a process that has ended
    return [{**head, **result, "warnings": warnings} for result in output["results"]]


def with_files(generation: Generation, files: tuple[Path, ...]) -> dict[str, Any]:
    """Give a handler's output with the paths here in place of the endpoint's files."""
    output: dict[str, Any] = dict(generation.output) if isinstance(generation.output, dict) else {}
    found = output.get("results")
    results = [dict(item) for item in found if isinstance(item, dict)] if isinstance(found, list) else []
    for song, path in zip(generation.songs, files, strict=True):
        results[song.index]["file"] = str(path)
    return {**output, "results": results}


def song_lines(output: Mapping[str, object]) -> list[str]:
    """Describe a handler's output: a line for each song or finding, and its warnings."""
    lines = []
    results = output.get("results")
    for song in results if isinstance(results, list) else []:
        lines.append(_song_line(song) if song.get("file") else _finding_line(song))
    warnings = output.get("warnings")
    lines += [f"note: {warning}" for warning in (warnings if isinstance(warnings, list) else [])]
    return lines


def _song_line(song: Mapping[str, Any]) -> str:
    metas = song.get("metas") or {}
    facts = [f"{song.get('seconds') or 0:g} s", f"engine {song.get('engine')}", f"seed {song.get('seed')}"]
    facts += [
        f"{metas[name]} bpm" if name == "bpm" else str(metas[name])
        for name in ("bpm", "keyscale")
        if metas.get(name) not in (None, "", "N/A")
    ]
    return f"{song['file']}  ({', '.join(facts)})"


def _finding_line(finding: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in finding.items() if value not in (None, "", {}))
