"""What did an endpoint say of a job? Its status object becomes a Job, its output a Generation with songs; no I/O.

Read generously: a worker that is not of this project may answer with less than the guide's output, or with more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from acestep_serverless.contract.job import FINAL_STATES, JobState


@dataclass(frozen=True, slots=True)
class Job:
    """A job as its endpoint sees it. `state` is one of contract.job.JobState, or a word that a foreign endpoint has.

    `progress` is 0.0 to 1.0, None before there is any; `stage` says what is being done. Times are milliseconds.
    """

    id: str
    state: str
    progress: float | None = None
    stage: str = ""
    delay_ms: int | None = None
    execution_ms: int | None = None
    worker_id: str = ""
    error: str = ""
    output: Any = field(default=None, repr=False)

    @property
    def final(self) -> bool:
        """True once the job can change no more."""
        return self.state in FINAL_STATES

    @property
    def seen(self) -> tuple[str, float | None, str]:
        """What somebody who follows the job is told anew."""
        return self.state, self.progress, self.stage


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of song number `index` (from 0). `url` is where it can be fetched (a whole URL, or a path on the
    endpoint's server), "" where nothing but the output carries it; `inline` is the file itself as base64, "" unless it
    came with the output. `bytes` and `sha256` (hexadecimal) are the file's. What nobody said is None or "".

    `skipped` is why a file that was asked for is not inline.
    """

    index: int
    file: str
    url: str = ""
    content_type: str = ""
    bytes: int | None = None
    sha256: str = ""
    inline: str = field(default="", repr=False)
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Song(StoredFile):
    """One finished song. `seed` makes it again; `seconds` is its length, `sample_rate` in Hz; `beside` has the files
    that go with it by their suffix, such as its notes ("mid") or its timed words ("lrc")."""

    seed: int | None = None
    seconds: float | None = None
    sample_rate: int | None = None
    engine: str = ""
    prompt: str = ""
    lyrics: str = ""
    metas: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, StoredFile] = field(default_factory=dict)


BESIDE = {"midi": "mid", "lrc": "lrc"}
"""Which members of a result are files beside the song, and with which suffix they are saved."""


@dataclass(frozen=True, slots=True)
class Generation:
    """A completed job. `songs` are in order; `findings` are the results without a file, as an analysis gives them;
    `warnings` say what could not be done as asked; `output` is all that the handler answered."""

    job: Job
    songs: tuple[Song, ...]
    findings: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def output(self) -> Any:
        """The handler's output as it came."""
        return self.job.output


def read_job(answer: Mapping[str, Any]) -> Job:
    """Read a status object. Raises ValueError when it has no id or no state."""
    job_id, state = answer.get("id"), answer.get("status")
    if not isinstance(job_id, str) or not job_id or not isinstance(state, str) or not state:
        raise ValueError("a job without an id or a status")
    output = answer.get("output")
    news = output if isinstance(output, dict) and state not in FINAL_STATES else {}
    return Job(
        id=job_id,
        state=state,
        progress=_fraction(news.get("progress")),
        stage=_text(news.get("stage")),
        delay_ms=_whole(answer.get("delayTime")),
        execution_ms=_whole(answer.get("executionTime")),
        worker_id=_text(answer.get("workerId")),
        error=_said(answer.get("error")),
        output=output if state in FINAL_STATES else None,
    )


def failure_of(job: Job) -> str:
    """Give the reason why a final job has no output, "" for one that has; a foreign handler's error payload is one."""
    if job.state == JobState.COMPLETED:
        payload = job.output if isinstance(job.output, dict) else {}
        return _said(payload.get("error")) if "results" not in payload else ""
    return job.error or "the endpoint gave no reason"


def read_generation(job: Job) -> Generation:
    """Read the output of a completed job; one of an unknown shape has no songs, and is there as it came."""
    output = job.output if isinstance(job.output, dict) else {}
    results = [item for item in _list(output.get("results")) if isinstance(item, dict)]
    audio = _by_index(_list(output.get("audio")))
    songs = [_song(index, item, audio.get(index, {})) for index, item in enumerate(results)]
    return Generation(
        job,
        songs=tuple(song for song, item in zip(songs, results, strict=True) if _has_file(item, song)),
        findings=tuple(item for song, item in zip(songs, results, strict=True) if not _has_file(item, song)),
        warnings=tuple(_text(warning) for warning in _list(output.get("warnings"))),
    )


def _has_file(item: Mapping[str, Any], song: Song) -> bool:
    return bool(song.file or song.url or song.inline) and "analysis" not in item


def _song(index: int, item: Mapping[str, Any], audio: Mapping[str, Any]) -> Song:
    file = _text(item.get("file"))
    metas = item.get("metas")
    return Song(
        index=index,
        file=file,
        url=_place(item),
        seed=_whole(item.get("seed")),
        seconds=_number(item.get("seconds")),
        sample_rate=_whole(item.get("sample_rate")),
        content_type=_text(item.get("content_type") or audio.get("content_type")),
        bytes=_whole(item.get("bytes")),
        sha256=_text(item.get("sha256")).lower(),
        engine=_text(item.get("engine")),
        prompt=_text(item.get("prompt")),
        lyrics=_text(item.get("lyrics")),
        metas=metas if isinstance(metas, dict) else {},
        inline=_text(audio.get("base64")),
        skipped=_text(audio.get("reason")),
        beside={
            suffix: _stored(index, item[kind]) for kind, suffix in BESIDE.items() if isinstance(item.get(kind), dict)
        },
    )


def _stored(index: int, item: Mapping[str, Any]) -> StoredFile:
    return StoredFile(
        index=index,
        file=_text(item.get("file")),
        url=_place(item),
        content_type=_text(item.get("content_type")),
        bytes=_whole(item.get("bytes")),
        sha256=_text(item.get("sha256")).lower(),
        inline=_text(item.get("base64")),
    )


def _place(item: Mapping[str, Any]) -> str:
    """The guide's own worker names a file only; with `url` there, null means that nobody keeps the file."""
    return _text(item.get("url")) if "url" in item else _text(item.get("file"))


def _by_index(entries: list[Any]) -> dict[int, Mapping[str, Any]]:
    """Sort the `audio` entries by the song they belong to; one without an index belongs to that of its place."""
    found: dict[int, Mapping[str, Any]] = {}
    for place, entry in enumerate(entries):
        item = {"base64": entry} if isinstance(entry, str) else entry
        if isinstance(item, dict):
            index = _whole(item.get("index"))
            found[place if index is None else index] = item
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _said(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)[:2000]


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value == value else None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None


def _fraction(value: object) -> float | None:
    number = _number(value)
    return None if number is None else min(max(number, 0.0), 1.0)
