"""What does each tool do? It calls the endpoint, wherever that is, and answers with plain data."""

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acestep_serverless.client import Generation, Job, Song, StillRunning, generation_of
from acestep_serverless.client.makes import MakesSongs
from acestep_serverless.contract.job import JobState
from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError, TooLarge
from acestep_serverless.mcp.tools import DEFAULT_WAIT, LONGEST_WAIT

LARGEST_INLINE = 8_000_000
"""Bytes of audio in one answer, which travels as base64 through an agent's context."""

Told = Callable[[Job], object]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a tool answers: structured data, the files that were saved, and those of them to send along."""

    data: Mapping[str, Any]
    files: tuple[tuple[Path, str], ...] = ()
    audio: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Acting:
    """The tools over one endpoint. Songs are saved in `folder`, and nowhere else."""

    endpoint: MakesSongs
    folder: Path

    async def call(self, name: str, arguments: Mapping[str, Any], told: Told) -> Answer:
        """Do what a tool is for; `told` is called with its job as it moves on. Raises AcestepServerlessError."""
        acts: Mapping[str, Callable[[dict[str, Any], Told], Awaitable[Answer]]] = {
            "generate_song": self._generate,
            "edit_song": self._edit,
            "follow_job": self._follow,
            "fetch_songs": self._fetch,
            "cancel_job": self._cancel,
            "list_jobs": self._list,
        }
        return await acts[name](dict(arguments), told)

    async def _generate(self, arguments: dict[str, Any], told: Told) -> Answer:
        seconds = _seconds(arguments.pop("wait_seconds", DEFAULT_WAIT))
        job = await self.endpoint.submit(arguments)
        return await self._waited(job, seconds, told)

    async def _edit(self, arguments: dict[str, Any], told: Told) -> Answer:
        job, number = arguments.pop("job", None), arguments.pop("song", 1)
        if (job is None) == (arguments.get("src_audio") is None):
            problem = "must be given, or src_audio in its place, and not both"
            raise InputError([FieldProblem("job", "nothing" if job is None else "both", problem)])
        if job is not None:
            arguments["src_audio"] = _song(generation_of(await self.endpoint.status(job)), number)
        return await self._generate(arguments, told)

    async def _follow(self, arguments: dict[str, Any], told: Told) -> Answer:
        seconds = _seconds(arguments.get("wait_seconds", DEFAULT_WAIT))
        return await self._waited(await self.endpoint.status(arguments["job"]), seconds, told)

    async def _fetch(self, arguments: dict[str, Any], _: Told) -> Answer:
        generation = generation_of(await self.endpoint.status(arguments["job"]))
        stem, overwrite = arguments.get("name", ""), arguments.get("overwrite", False)
        paths = await self.endpoint.save(generation, self.folder, stem=stem, overwrite=overwrite)
        files = tuple((path.resolve(), song.content_type) for path, song in zip(paths, generation.songs, strict=True))
        audio = await asyncio.to_thread(_audio, files) if arguments.get("inline") else ()
        return Answer({"job": generation.job.id, "files": [str(path) for path, _ in files]}, files, audio)

    async def _cancel(self, arguments: dict[str, Any], _: Told) -> Answer:
        return Answer(state_of(await self.endpoint.cancel(arguments["job"])))

    async def _list(self, arguments: dict[str, Any], _: Told) -> Answer:
        jobs = await self.endpoint.jobs(limit=arguments.get("limit", 20), state=arguments.get("state"))
        return Answer({"jobs": [state_of(job) for job in jobs]})

    async def _waited(self, job: Job, seconds: float, told: Told) -> Answer:
        """Wait for a job's songs. A job that goes on is an answer as well; one that failed is an error."""
        if not job.final and seconds == 0:
            return Answer(state_of(job))
        try:
            return Answer(made_of(await self.endpoint.wait(job, timeout=seconds or None, told=told)))
        except StillRunning as running:
            return Answer(state_of(running.job))


def state_of(job: Job) -> dict[str, Any]:
    """Describe a job without its output."""
    return {
        "job": job.id,
        "state": str(job.state),
        "progress": job.progress,
        "stage": job.stage or None,
        "error": job.error or None,
        "songs": [],
        "next": _next(job),
    }


def made_of(generation: Generation) -> dict[str, Any]:
    """Describe a finished job with its songs."""
    return {
        **state_of(generation.job),
        "progress": 1.0,
        "songs": [_described(song) for song in generation.songs],
        "findings": [dict(finding) for finding in generation.findings],
        "warnings": list(generation.warnings),
    }


def _described(song: Song) -> dict[str, Any]:
    return {
        "song": song.index + 1,
        "file": song.file,
        "seconds": song.seconds,
        "seed": song.seed,
        "engine": song.engine,
        "prompt": song.prompt,
        "lyrics": song.lyrics,
        "metas": dict(song.metas),
        "content_type": song.content_type,
    }


def _next(job: Job) -> str:
    if not job.final:
        return f'call follow_job with job "{job.id}" until it has ended'
    if job.state == JobState.COMPLETED:
        return f'call fetch_songs with job "{job.id}" to save its songs, or edit_song to change one'
    return "the job has ended without songs"


def _song(generation: Generation, number: int) -> Song:
    if not 1 <= number <= len(generation.songs):
        raise InputError(
            [FieldProblem("song", shown(number), f"must be from 1 to {len(generation.songs)}, as many as the job has")]
        )
    return generation.songs[number - 1]


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_WAIT:
        raise InputError([FieldProblem("wait_seconds", shown(value), f"must be a number from 0 to {LONGEST_WAIT:g}")])
    return float(value)


def _audio(files: tuple[tuple[Path, str], ...]) -> tuple[tuple[str, str], ...]:
    size = sum(path.stat().st_size for path, _ in files)
    if size > LARGEST_INLINE:
        raise TooLarge(
            f"the songs have {size:,} bytes, an answer carries {LARGEST_INLINE:,}: they are saved, call without inline"
        )
    return tuple((base64.b64encode(path.read_bytes()).decode("ascii"), kind or "audio/mpeg") for path, kind in files)
