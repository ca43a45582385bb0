"""What does the handler answer? The guide's success and error payloads, and what this project adds to them.

The guide's fields come first and keep their names: `task_id`, `status`, `duration`, `batch_size`, `results[].file`, and
`audio` when it was asked for. Everything here is plain JSON that every parser takes: no NaN, no lone surrogates. The
Runpod SDK drops a result that it cannot encode, without telling anybody.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_shown import printable

RUNPOD_OUTPUT_BYTES = 10_000_000
"""Runpod's bound on the output of a `/run` job (its documentation says 10 MB)."""

RUNPOD_SYNC_OUTPUT_BYTES = 20_000_000
"""Runpod's bound on the output of a `/runsync` job, whose id starts with "sync-"."""

FILE_TOO_LARGE = "file_too_large"
RESPONSE_TOO_LARGE = "response_too_large"

_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class SongResult:
    """One finished song as the caller sees it: where its file is, what the ACE-Step API said of it, facts of the file.

    `url` is where the file can be fetched: an address, or a path at the gateway that the job was sent to; None where
    no URL leads to it. `bytes` and `sha256` (hexadecimal) are of the delivered file; `seconds` and `sample_rate` (Hz)
    are what the ACE-Step API reports. `midi` and `lrc` are what `side_entry` makes of the files beside it.
    """

    file: str
    bytes: int
    sha256: str
    content_type: str
    url: str | None = None
    prompt: str = ""
    lyrics: str = ""
    metas: Mapping[str, object] = field(default_factory=dict)
    seed: int | None = None
    seconds: float | None = None
    sample_rate: int | None = None
    lm_model: str = ""
    dit_model: str = ""
    engine: str = ""
    midi: Mapping[str, object] | None = None
    lrc: Mapping[str, object] | None = None

    def as_json(self) -> dict[str, object]:
        """Return the result item, `file` first; what lies beside the song comes last, and only where there is one."""
        beside = {"midi": self.midi, "lrc": self.lrc}
        return {
            "file": self.file,
            "url": self.url,
            "prompt": self.prompt,
            "lyrics": self.lyrics,
            "metas": dict(self.metas),
            "seed": self.seed,
            "seconds": self.seconds,
            "sample_rate": self.sample_rate,
            "lm_model": self.lm_model,
            "dit_model": self.dit_model,
            "engine": self.engine,
            "content_type": self.content_type,
            "bytes": self.bytes,
            "sha256": self.sha256,
            **{kind: dict(entry) for kind, entry in beside.items() if entry is not None},
        }


def success_output(
    task_id: str,
    request: MusicInput,
    songs: Sequence[SongResult],
    *,
    audio: Sequence[Mapping[str, object]] | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, object]:
    """Build the success payload; `audio` (None: not asked for) holds what the functions below return."""
    output: dict[str, object] = {
        "task_id": task_id,
        "status": "completed",
        "duration": request.duration,
        "batch_size": request.batch_size,
        "results": [song.as_json() for song in songs],
    }
    if audio is not None:
        output["audio"] = [dict(entry) for entry in audio]
    if distinct := list(dict.fromkeys(warnings)):
        output["warnings"] = distinct
    checked: dict[str, object] = strict(output)
    return checked


def error_output(message: str) -> dict[str, object]:
    """Build the error payload; the job then ends FAILED with this message."""
    return {"error": printable(message) or "the handler failed without saying why"}


def embedded_audio(index: int, song: SongResult, base64: str) -> dict[str, object]:
    """Build an `audio` entry that carries the file itself."""
    return {"index": index, "file": song.file, "content_type": song.content_type, "base64": base64}


def side_entry(
    file: str, url: str | None, content_type: str, size: int, sha256: str, base64: str | None = None
) -> dict[str, object]:
    """Build what a result says of a file beside its song, in the song's own words; `base64` is the file itself."""
    content = {} if base64 is None else {"base64": base64}
    return {"file": file, "url": url, "content_type": content_type, "bytes": size, "sha256": sha256, **content}


def skipped_audio(index: int, song: SongResult, reason: str) -> dict[str, object]:
    """Build an `audio` entry that says why the file is not in it: FILE_TOO_LARGE or RESPONSE_TOO_LARGE."""
    return {"index": index, "file": song.file, "skipped": True, "reason": reason, "bytes": song.bytes}


def embedded_bytes(index: int, song: SongResult) -> int:
    """Return how many bytes `embedded_audio` adds to the output's JSON, without encoding anything."""
    return json_bytes(embedded_audio(index, song, "")) + 4 * ((song.bytes + 2) // 3) + len(", ")


def json_bytes(value: object) -> int:
    """Return the size of `value` as the Runpod SDK sends it: UTF-8, unescaped, its default separators."""
    return len(json.dumps(strict(value), ensure_ascii=False).encode())


def strict(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON that every parser takes: numbers that are not finite become null, lone surrogates are
    spelled out, and what lies deeper than 12 levels (only a hostile ACE-Step server sends that) becomes null."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth > _DEEPEST:
        return None
    if isinstance(value, Mapping):
        return {printable(str(key)): strict(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [strict(item, depth + 1) for item in value]
    return value
