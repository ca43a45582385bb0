"""What does a caller read about a task? A task record becomes its entry in the answer to `/query_result`."""

from collections.abc import Mapping
from typing import cast

from acestep_serverless.acestep_api.analyses import analysis_item
from acestep_serverless.acestep_api.task import FINAL, State, StoredSong, Task
from acestep_serverless.contract.acestep import Item, SideItem, TaskStatus, audio_url, blank_item, query_entry
from acestep_serverless.contract.media import SIDE_FILES
from acestep_serverless.contract.music_shown import printable
from acestep_serverless.engines.base import Engine

UNKNOWN_TASK = (
    "no such task: the id was never given out here, or its 24 hours are over, or the server ended and keeps no records"
)
UNKNOWN_STAGE = "unknown"
NOT_CHOSEN = "N/A"

STATUSES = {
    State.QUEUED: TaskStatus.ACTIVE,
    State.RUNNING: TaskStatus.ACTIVE,
    State.SUCCEEDED: TaskStatus.SUCCEEDED,
    State.FAILED: TaskStatus.FAILED,
    State.CANCELLED: TaskStatus.FAILED,
}


class WaitingItem(Item, total=False):
    """The item of a task that is not final."""

    eta_seconds: float | None
    """Ours: a guess of the seconds until the task ends; null while nothing was measured."""


def task_entry(task: Task, position: int, engine: Engine, eta_seconds: float | None = None) -> dict[str, object]:
    """Give the entry of a task; `position` is its turn (0 when it is not waiting), `eta_seconds` a guess until its
    end."""
    items: list[Mapping[str, object]]
    if task.state is not State.SUCCEEDED:
        items = [_unfinished_item(task, position, engine, eta_seconds)]
    elif task.analysis is not None:
        items = [analysis_item(task, task.analysis, _item(task, engine), engine.language_model)]
    else:
        items = [_song_item(task, song, engine) for song in task.songs]
    return query_entry(task.task_id, STATUSES[task.state], items, task.stage)


def unknown_entry(task_id: str, now_ms: int, engine: Engine) -> dict[str, object]:
    """Give the entry of an id that names no task. Upstream calls it running, and its pollers never end."""
    item = blank_item(
        status=TaskStatus.FAILED, created_ms=now_ms, progress=0.0, stage=UNKNOWN_STAGE, engine=engine.name
    )
    item["error"] = UNKNOWN_TASK
    return query_entry(printable(task_id), TaskStatus.FAILED, [item], "")


def _unfinished_item(task: Task, position: int, engine: Engine, eta_seconds: float | None) -> WaitingItem:
    item = cast(WaitingItem, _item(task, engine))
    item["error"] = task.error
    if task.state not in FINAL:
        item["queue_position"] = position
        item["eta_seconds"] = None if eta_seconds is None else round(eta_seconds, 1)
    return item


def _item(task: Task, engine: Engine) -> Item:
    """An item with what is known of every task; the engine is the one that was asked, whichever runs now."""
    return blank_item(
        status=STATUSES[task.state],
        created_ms=task.created_ms,
        progress=task.progress,
        stage=task.stage,
        engine=task.engine or engine.name,
    )


def _song_item(task: Task, song: StoredSong, engine: Engine) -> Mapping[str, object]:
    item = _item(task, engine)
    item.update(
        {
            "file": audio_url(song.name),
            "url": audio_url(song.name),
            "prompt": song.caption,
            "lyrics": song.lyrics,
            "metas": _metas(task, song),
            "generation_info": _generation_info(task, song),
            "seed_value": _seed_value(task),
            "lm_model": song.language_model,
            "dit_model": song.model,
            "seed": song.seed,
            "bytes": song.size,
            "sha256": song.sha256,
            "media_type": song.media_type,
            "seconds": song.seconds,
            "sample_rate": song.sample_rate,
            "warnings": list(song.warnings),
        }
    )
    return {**item, **_beside(song)}


def _beside(song: StoredSong) -> dict[str, SideItem]:
    """What lies beside the song, each under its kind."""
    return {
        side.kind: {
            "file": audio_url(side.name),
            "bytes": side.size,
            "sha256": side.sha256,
            "media_type": SIDE_FILES[side.kind].media_type,
        }
        for side in song.beside
    }


def _seed_value(task: Task) -> str:
    """Name all seeds of the batch, as upstream does in each item."""
    return ",".join(str(seed) for seed in task.order.request.seeds)


def _metas(task: Task, song: StoredSong) -> dict[str, object]:
    """What the song is, beside the words that the caller gave (the item's own are the final ones)."""
    return {
        "bpm": NOT_CHOSEN if song.metas.bpm is None else song.metas.bpm,
        "duration": song.metas.duration,
        "genres": song.metas.genres or NOT_CHOSEN,
        "keyscale": song.metas.key_scale or NOT_CHOSEN,
        "timesignature": song.metas.time_signature or NOT_CHOSEN,
        "prompt": task.order.request.caption,
        "lyrics": task.order.request.lyrics,
    }


def _generation_info(task: Task, song: StoredSong) -> str:
    """The markdown that upstream's user interface shows under a song, with what was measured here."""
    seeds = ", ".join(str(seed) for seed in task.order.request.seeds)
    each = task.running_seconds / len(task.songs)
    return (
        f"**Average Time per Track: {each:.2f}s** ({len(task.songs)} track(s))\n\n"
        f"**Generation Complete**\n  - **Engine:** {task.engine} ({song.model})\n  - **Seeds:** {seeds}\n\n"
        f"**Total Time: {task.running_seconds:.2f}s**"
    )
