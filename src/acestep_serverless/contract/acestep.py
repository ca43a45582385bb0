"""What does the ACE-Step REST API send? Its envelope, its task statuses and the items inside a `result`.

The shapes are upstream's: answers travel in an envelope whose `timestamp` is in milliseconds, `create_time` of an item
is in seconds, `result` is a JSON *text* holding an array with one item per song (one for a task that is not finished).
Fields that upstream does not have come after upstream's own and are marked so.
"""

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, TypedDict
from urllib.parse import quote

SERVICE = "ACE-Step API"
VERSION = "1.0"
AUDIO_ROUTE = "/v1/audio"
LONGEST_WAIT = 60.0
"""Seconds that `/query_result` may hold an answer back; shorter than the idle limit of common proxies."""


class TaskStatus(IntEnum):
    """`status` of a task and of its items: 0 while queued or running, 1 done, 2 failed, cancelled or unknown."""

    ACTIVE = 0
    SUCCEEDED = 1
    FAILED = 2


class SideItem(TypedDict):
    """Ours: a file beside a song. `file` works when appended to the server's address."""

    file: str
    bytes: int
    sha256: str
    media_type: str


class Item(TypedDict, total=False):
    """One item of `result`. Every item has the fields above the first empty line, a finished song's has all."""

    file: str
    url: str
    wave: str
    status: int
    create_time: int
    env: str
    prompt: str
    lyrics: str
    metas: Mapping[str, Any]
    progress: float
    stage: str
    error: str | None
    engine: str
    """Ours: which engine makes the song."""

    queue_position: int
    """Ours, while the task is not final: place in the queue, 1 is next, 0 once running."""

    generation_info: str
    seed_value: str
    lm_model: str
    dit_model: str
    seed: int
    """Ours, as all below: the seed of this song (`seed_value` names those of the whole batch)."""
    bytes: int
    sha256: str
    media_type: str
    seconds: float
    sample_rate: int
    warnings: list[str]
    midi: SideItem
    """The song's score as a MIDI file, where the engine wrote one; likewise `lrc`, timed lyrics."""
    lrc: SideItem


def envelope(data: object, now_ms: int) -> dict[str, object]:
    """Wrap an answer as nearly every route does; `now_ms` is wall time in milliseconds since 1970."""
    return {"data": data, "code": 200, "error": None, "timestamp": now_ms, "extra": None}


def soft_error(code: int, sentence: str, now_ms: int) -> dict[str, object]:
    """Wrap a refusal that upstream answers with HTTP 200: the code (400 or 500) is in the envelope."""
    return {"data": None, "code": code, "error": sentence, "timestamp": now_ms, "extra": None}


def refusal(sentence: str) -> dict[str, str]:
    """Give the body of every HTTP error: `detail` for upstream's clients, `error` for those that read that name."""
    return {"detail": sentence, "error": sentence}


def audio_url(name: str) -> str:
    """Give the `file` value of an audio file's name; it works when appended to the server's address."""
    return f"{AUDIO_ROUTE}?path={quote(name, safe='')}"


def blank_item(*, status: TaskStatus, created_ms: int, progress: float, stage: str, engine: str) -> Item:
    """Give an item without a song: what a queued, running, failed, cancelled or unknown task shows."""
    return {
        "file": "",
        "url": "",
        "wave": "",
        "status": int(status),
        "create_time": created_ms // 1000,
        "env": "production",
        "prompt": "",
        "lyrics": "",
        "metas": {},
        "progress": progress,
        "stage": stage,
        "error": None,
        "engine": engine,
    }


def query_entry(
    task_id: str, status: TaskStatus, items: Iterable[Mapping[str, object]], progress_text: str
) -> dict[str, object]:
    """Give the entry of one task in the answer to `/query_result`."""
    return {
        "task_id": task_id,
        "result": json.dumps(list(items), ensure_ascii=False),
        "status": int(status),
        "progress_text": progress_text,
    }
