"""How do finished songs become the job's output? Fetch each file, hand it to its place, describe it, embed it on
request."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.client.reports import SongItem
from acestep_serverless.contract.media import MEDIA_TYPES, suffix_of_file
from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_output import SongResult, json_bytes, success_output
from acestep_serverless.worker.beside import LEFT_OUT, BesideOf, with_beside
from acestep_serverless.worker.embedding import DeliveredSong, embed, entries_bytes
from acestep_serverless.worker.generation import Finished
from acestep_serverless.worker.notices import MOST_WARNINGS, about_audio, shortened
from acestep_serverless.worker.sink import ArtifactSink, AudioFile, Stored

DOWNLOAD_CHUNK = 1 << 20
"""Bytes asked of `/v1/audio` at a time: what a download holds in memory."""

LARGEST_FILE = 1 << 30
"""Bytes of one song at most; ten minutes of 48 kHz stereo as 32 bit float are 230 MB."""

OUTPUT_MARGIN = 64
"""Bytes kept free for what the SDK wraps around an output (`{"output": ...}`)."""

TEXTS_LEFT_OUT = "prompt, lyrics and metas are left out of the results: with them the response would be too large"


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of one job whose task has ended well."""

    job_id: str
    request: MusicInput
    finished: Finished
    acestep: AceStepClient
    artifacts: ArtifactSink
    scratch: Path | None = None

    async def build(self) -> dict[str, object]:
        """Deliver every song and return the success payload. Files wait in a folder of their own in
        `scratch` (None: the system's temporary folder) until it is built."""
        with tempfile.TemporaryDirectory(prefix="acestep-serverless-", dir=self.scratch) as folder:
            songs = [await self._deliver(index, item, Path(folder)) for index, item in enumerate(self.finished.items)]
            return await self._output(songs)

    async def _deliver(self, index: int, item: SongItem, folder: Path) -> DeliveredSong:
        audio = await self._fetch(index, item, folder)
        stored = await self.artifacts.store(self.job_id, index, audio)
        beside = BesideOf(self.job_id, index, self.acestep, stored.place or self.artifacts, folder)
        sides, lost = await beside.deliver(item)
        warnings = tuple(filter(None, (stored.warning, *lost)))
        result = _described(index, item, stored, audio)
        return DeliveredSong(index, result, audio.path, stored.kept, warnings, tuple(sides))

    async def _fetch(self, index: int, item: SongItem, folder: Path) -> AudioFile:
        path = folder / str(index)
        with await asyncio.to_thread(path.open, "wb") as file:

            def keep(piece: bytes) -> None:
                file.write(piece)

            fetched = await self.acestep.download(item.file, keep, chunk=DOWNLOAD_CHUNK, limit=LARGEST_FILE)
        suffix = suffix_of_file(item.file, fetched.media_type) or "mp3"
        return AudioFile(path, f".{suffix}", MEDIA_TYPES[suffix], fetched.bytes, fetched.sha256)

    async def _output(self, songs: Sequence[DeliveredSong]) -> dict[str, object]:
        limit, to_embed = self.artifacts.output_limit(self.job_id), [song for song in songs if self._travels(song.kept)]
        results = [song.result for song in songs]
        at_worst = self._warnings(songs, left_out=to_embed) + [LEFT_OUT] * any(song.beside for song in songs)
        room = None if limit is None else limit - OUTPUT_MARGIN - self._bytes(results, at_worst)
        without_texts = False
        if room is not None and room < 0:
            without_texts = True
            bare = [replace(result, prompt="", lyrics="", metas={}) for result in results]
            room += self._bytes(results, []) - self._bytes(bare, [TEXTS_LEFT_OUT])
            results = bare
        audio = await embed(to_embed, largest=self.request.max_base64_bytes, room=room)
        left_out = [song for song, entry in zip(to_embed, audio, strict=True) if "base64" not in entry]
        room = None if room is None else room - entries_bytes(to_embed, audio)
        largest = self.request.max_base64_bytes
        results, whole = with_beside(results, songs, travels=self._travels, largest=largest, room=room)
        warnings = [*self._warnings(songs, left_out=left_out), *([TEXTS_LEFT_OUT] if without_texts else [])]
        warnings += [] if whole else [LEFT_OUT]
        asked = self.request.return_audio_base64 or bool(audio)
        return success_output(
            self.finished.task_id, self.request, results, audio=audio if asked else None, warnings=warnings
        )

    def _travels(self, kept: bool) -> bool:
        """Tell what travels in the output: every file when that was asked for, none when it was declined, and where
        nothing was said those that nothing else keeps."""
        return self.request.return_audio_base64 or not (kept or self._declined())

    def _declined(self) -> bool:
        return not self.request.return_audio_base64 and "return_audio_base64" in self.request.given

    def _bytes(self, results: Sequence[SongResult], warnings: Sequence[str]) -> int:
        bare = success_output(self.finished.task_id, self.request, results, audio=[], warnings=warnings)
        return json_bytes(bare)

    def _warnings(self, songs: Sequence[DeliveredSong], *, left_out: Sequence[DeliveredSong]) -> list[str]:
        """Collect what the caller must know, each sentence once: from the engine, from the server, from the places;
        `left_out` should be in the output but are not."""
        told = dict.fromkeys(warning for item in self.finished.items for warning in item.warnings)
        warnings = [shortened(warning) for warning in told][:MOST_WARNINGS]
        asked, made = self.request.batch_size, len(self.finished.items)
        if made != asked:
            warnings.append(f"batch_size: {asked} songs were asked for, the ACE-Step server made {made}")
        warnings += [warning for song in songs for warning in song.warnings]
        unkept = [song for song in songs if not song.kept]
        asked_for_audio = self.request.return_audio_base64
        warnings += about_audio(unkept, left_out, declined=self._declined(), asked=asked_for_audio)
        return list(dict.fromkeys(warnings))


def _described(index: int, item: SongItem, stored: Stored, audio: AudioFile) -> SongResult:
    rate = item.raw.get("sample_rate")
    return SongResult(
        file=stored.file,
        url=stored.url,
        bytes=audio.bytes,
        sha256=audio.sha256,
        content_type=audio.media_type,
        prompt=item.prompt,
        lyrics=item.lyrics,
        metas=item.metas,
        seed=_seed(item.seed_value, index),
        seconds=_seconds(item.raw.get("seconds", item.metas.get("duration"))),
        sample_rate=rate if isinstance(rate, int) and not isinstance(rate, bool) else None,
        lm_model=item.lm_model,
        dit_model=item.dit_model,
        engine=item.engine,
    )


def _seed(seed_value: str, index: int) -> int | None:
    """Read song `index`'s seed: the server names the seeds of the whole batch in every item, "7,8,9"."""
    seeds = [text.strip() for text in seed_value.split(",")]
    chosen = seeds[index] if index < len(seeds) else seeds[0]
    return int(chosen) if chosen.isdecimal() and len(chosen) <= 20 else None


def _seconds(duration: object) -> float | None:
    return float(duration) if isinstance(duration, int | float) and not isinstance(duration, bool) else None
