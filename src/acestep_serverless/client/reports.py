"""What did an ACE-Step server say about a task? Its answer to `/query_result` becomes a TaskReport; no I/O.

Read generously, as servers in the wild differ: `result` is a text or an array, items lack fields, the audio is under
`url` or `file`, sometimes as a bare path, and a failure's reason is a whole traceback.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote

from acestep_serverless.contract.acestep import AUDIO_ROUTE, TaskStatus
from acestep_serverless.contract.media import SIDE_FILES

State = Literal["running", "succeeded", "failed"]

NO_REASON = "the ACE-Step API gave no reason"
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class SongItem:
    """One song of a finished task. `file` is ready for `AceStepClient.download`, and so are those `beside` it, by their
    kind; `raw` holds every other field."""

    file: str
    prompt: str
    lyrics: str
    metas: Mapping[str, Any]
    seed_value: str
    lm_model: str
    dit_model: str
    engine: str
    warnings: tuple[str, ...]
    raw: Mapping[str, Any]
    beside: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskReport:
    """A task as its server sees it now. "running" includes queued; `progress` is 0.0 to 1.0; `items` are the songs of a
    succeeded task, in order; `error` is a failed task's reason; `queue_position` is None where the server does not say.

    `known` is False when the server showed nothing but a running status: its way of not knowing the id. `finding` is
    the first item as the server sent it, which is all there is of an analysis.
    """

    task_id: str
    state: State
    progress: float
    stage: str
    items: tuple[SongItem, ...]
    error: str
    queue_position: int | None
    known: bool
    finding: Mapping[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> bool:
        """True once the task has succeeded or failed."""
        return self.state != "running"


def read_report(task_id: str, answer: object, *, audio: bool = True) -> TaskReport:
    """Read the JSON of an answer to a query for one task; a success without a song is one only without `audio`.
    Raises ValueError if it has no entry for a task."""
    entry = _entry(answer)
    items = _items(entry.get("result"))
    status = _number(entry.get("status"), TaskStatus.ACTIVE)
    if status >= TaskStatus.FAILED:
        return _failed(task_id, items, _reason(items, entry))
    if status == TaskStatus.SUCCEEDED:
        return _succeeded(task_id, items) if audio else _analysed(task_id, items)
    first = items[0] if items else {}
    position = first.get("queue_position")
    return TaskReport(
        task_id=task_id,
        state="running",
        progress=_fraction(first.get("progress")),
        stage=_text(first.get("stage")),
        items=(),
        error="",
        queue_position=position if isinstance(position, int) else None,
        known=bool(items),
    )


def file_reference(item: Mapping[str, Any]) -> str:
    """Give where the audio of an item is: `url`, else `file`; a bare path becomes a request for it; "" is none."""
    given = _text(item.get("url")) or _text(item.get("file"))
    if not given or given.startswith(("/v1/", "http://", "https://")):
        return given
    return f"{AUDIO_ROUTE}?path={quote(given, safe='')}"


def _succeeded(task_id: str, items: list[Mapping[str, Any]]) -> TaskReport:
    songs = tuple(_song(item) for item in items)
    without = [index for index, song in enumerate(songs, 1) if not song.file]
    if not songs or without:
        which = f"song {without[0]} of {len(songs)} has" if songs else "it has"
        return _failed(task_id, items, f"the ACE-Step API ended the task without an error, but {which} no audio")
    return TaskReport(task_id, "succeeded", 1.0, "succeeded", songs, "", None, known=True)


def _analysed(task_id: str, items: list[Mapping[str, Any]]) -> TaskReport:
    if not items:
        return _failed(task_id, items, "the ACE-Step API ended the analysis without an error, but found nothing")
    return TaskReport(task_id, "succeeded", 1.0, "succeeded", (), "", None, known=True, finding=items[0])


def _failed(task_id: str, items: list[Mapping[str, Any]], reason: str) -> TaskReport:
    first = items[0] if items else {}
    stage = _text(first.get("stage")) or "failed"
    return TaskReport(task_id, "failed", _fraction(first.get("progress")), stage, (), reason, None, known=True)


_SONG_FIELDS = frozenset(SongItem.__dataclass_fields__) | {"url", *SIDE_FILES}


def _song(item: Mapping[str, Any]) -> SongItem:
    metas, warnings = item.get("metas"), item.get("warnings")
    return SongItem(
        file=file_reference(item),
        prompt=_text(item.get("prompt")),
        lyrics=_text(item.get("lyrics")),
        metas=metas if isinstance(metas, dict) else {},
        seed_value=_text(item.get("seed_value")),
        lm_model=_text(item.get("lm_model")),
        dit_model=_text(item.get("dit_model")),
        engine=_text(item.get("engine")),
        warnings=tuple(_text(warning) for warning in warnings) if isinstance(warnings, list) else (),
        raw={name: value for name, value in item.items() if name not in _SONG_FIELDS},
        beside=_beside(item),
    )


def _beside(item: Mapping[str, Any]) -> dict[str, str]:
    """Where the files beside a song are, by their kind; what another server means by such a name is none."""
    given = {kind: item.get(kind) for kind in SIDE_FILES}
    files = {kind: _text(side.get("file")) for kind, side in given.items() if isinstance(side, dict)}
    return {kind: file for kind, file in files.items() if file}


def _entry(answer: object) -> Mapping[str, Any]:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list) or not data or not isinstance(data[0], dict):
        raise ValueError("no entry for the task")
    return data[0]


def _items(result: object) -> list[Mapping[str, Any]]:
    if isinstance(result, str):
        try:
            result = json.loads(result)
        except (ValueError, RecursionError):
            result = []
    found = [result] if isinstance(result, dict) else result if isinstance(result, list) else []
    return [item for item in found if isinstance(item, dict)]


def _reason(items: list[Mapping[str, Any]], entry: Mapping[str, Any]) -> str:
    """The first error an item or the entry names; of a traceback only its last line, which holds the message."""
    texts = [_text(source.get("error")).strip() for source in (*items, entry)]
    reason = next((text for text in texts if text), NO_REASON)
    if "Traceback (most recent call last)" in reason:
        reason = reason.splitlines()[-1].strip()
    return reason[:LONGEST_REASON]


def _text(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _number(value: object, otherwise: int) -> int:
    try:
        return int(value) if isinstance(value, int | str) else otherwise
    except ValueError:
        return TaskStatus.FAILED


def _fraction(value: object) -> float:
    return min(max(float(value), 0.0), 1.0) if isinstance(value, int | float) and value == value else 0.0
