"""How does a task outlive its process? One JSON file a task, on the disk before anybody is told of what it says."""

import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import structlog

from acestep_serverless.acestep_api.plain import plain, rebuilt
from acestep_serverless.acestep_api.task import Task
from acestep_serverless.artifacts.disk import UNFINISHED, write_whole

FORMAT = 1
"""The number in every file; one with another number was written by another program."""

PASSING = frozenset({"stop", "running_since"})
"""Fields of a task that mean nothing to another process."""

_NAME = re.compile(r"task-([A-Za-z0-9_-]{1,128})\.json", re.ASCII)

log = structlog.get_logger(__name__)


class TaskRecords:
    """The records of all tasks in a folder that holds nothing else. One process at a time; a task's in any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, task: Task) -> None:
        """Write a task as it is now, replacing what was said before. Raises OSError; then the older words stand."""
        record = {field.name: plain(getattr(task, field.name)) for field in fields(task) if field.name not in PASSING}
        write_whole(self._path(task.task_id), json.dumps({"format": FORMAT, **record}).encode())

    def remove(self, task_id: str) -> None:
        """Forget a task, if the disk lets us: then its time is over at the next start as well."""
        try:
            self._path(task_id).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the record of a task could not be removed", task_id=task_id, reason=error.strerror)

    def read_all(self) -> list[Task]:
        """Read every task, in the order they came; make the folder. What cannot be read is removed, and the log
        names it: nobody is harmed by it, and its task is unknown from now on. Raises OSError for the folder itself."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in self._folder.glob(f".*{UNFINISHED}"):
            path.unlink(missing_ok=True)
        return sorted(self._readable(), key=lambda task: task.number)

    def _readable(self) -> Iterator[Task]:
        for path in sorted(self._folder.glob("task-*.json")):
            try:
                yield _read(path)
            except (OSError, ValueError, TypeError, RecursionError) as error:
                log.warning("the record of a task cannot be read and is removed", file=path.name, reason=str(error))
                path.unlink(missing_ok=True)

    def _path(self, task_id: str) -> Path:
        path = self._folder / f"task-{task_id}.json"
        if not _NAME.fullmatch(path.name):
            raise ValueError("a task id is 1 to 128 letters, digits, dashes and underscores")
        return path


def _read(path: Path) -> Task:
    record = json.loads(path.read_bytes())
    if not isinstance(record, dict) or record.pop("format", None) != FORMAT:
        raise ValueError("another format")
    task = rebuilt(Task, record)
    if not isinstance(task, Task) or path.name != f"task-{task.task_id}.json":
        raise ValueError("another task's name")
    return task
