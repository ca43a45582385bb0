"""How does a song get into a bucket? One checked PUT, tried again within bounds; if all fails, it goes elsewhere.

A finished song is never lost to a bucket that is away, full or closed: the place after it takes the song, and a
warning says so.
"""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import quote

import structlog

from acestep_serverless.contract.bucket import Bucket
from acestep_serverless.errors import PeerError, PeerUnreachable
from acestep_serverless.outbound.upload import UploadAnswer, Uploader
from acestep_serverless.worker.bucket import Signer, md5_of, object_name
from acestep_serverless.worker.sink import ArtifactSink, AudioFile, Stored, chunks_of

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]{1,64})</Code>")
_PASSING_CODES = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "SlowDown"})
"""Refusals of this one attempt (S3's error codes): another one may do better."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadBounds:
    """How long one song may take: `attempts`, each of `seconds` and the file's bytes at `bytes_per_second`; pauses in
    seconds begin with `pause` and double."""

    attempts: int = 4
    seconds: float = 30.0
    bytes_per_second: int = 1 << 18
    pause: float = 0.5

    def of(self, size: int) -> float:
        """Return how many seconds an attempt to send `size` bytes may take."""
        return self.seconds + size / self.bytes_per_second

    def pauses(self) -> Iterator[float | None]:
        """Yield the pause after each attempt; None after the last."""
        for number in range(self.attempts):
            yield self.pause * 2**number if number < self.attempts - 1 else None


@dataclass(slots=True)
class BucketSink:
    """Puts songs into `bucket`, and those that it does not take into `otherwise`. `named` is how warnings call it."""

    bucket: Bucket
    otherwise: ArtifactSink
    uploader: Uploader
    named: str
    bounds: UploadBounds = field(default_factory=UploadBounds)
    _signer: Signer = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._signer = Signer(self.bucket)

    def output_limit(self, job_id: str) -> int | None:
        """Return the limit of the place that takes the output itself."""
        return self.otherwise.output_limit(job_id)

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """Upload a song and return its link. What another place had to take carries a warning that says why."""
        name = object_name(self.bucket, job_id, index, audio.suffix)
        try:
            await self._upload(name, index, audio)
            url = await asyncio.to_thread(self._signer.link_to_get, name)
        except PeerError as error:
            _log.warning("a bucket did not take a file", job=job_id, file=audio.called(index), reason=str(error))
            stored = await self.otherwise.store(job_id, index, audio)
            told = f"{audio.called(index)} could not be put into the bucket of {self.named}: {error}"
            warning = "; ".join(filter(None, (told, stored.warning)))
            return replace(stored, warning=warning, place=stored.place or self.otherwise)
        return Stored(f"/v1/audio?filename={quote(name.rpartition('/')[2], safe='')}", url)

    async def _upload(self, name: str, index: int, audio: AudioFile) -> None:
        headers = {"Content-Type": audio.media_type, "Content-MD5": await asyncio.to_thread(md5_of, audio.path)}
        for pause in self.bounds.pauses():
            url = await asyncio.to_thread(self._signer.link_to_put, name, headers)
            problem = await self._attempt(url, headers, audio)
            if problem is None:
                return
            if pause is None:
                raise PeerUnreachable(f"{self.bounds.attempts} attempts failed, the last one with: {problem}")
            _log.warning("a bucket did not take a song, trying again", song=index + 1, problem=problem, pause=pause)
            await asyncio.sleep(pause)

    async def _attempt(self, url: str, headers: dict[str, str], audio: AudioFile) -> str | None:
        """Send the file once; return None, or a text that says why another attempt makes sense. Raises PeerError."""
        seconds = self.bounds.of(audio.bytes)
        sent = {**headers, "Content-Length": str(audio.bytes)}
        try:
            answer = await self.uploader.put(url, lambda: chunks_of(audio.path), sent, seconds=seconds)
        except PeerUnreachable as error:
            return str(error)
        return _problem(answer)


def _problem(answer: UploadAnswer) -> str | None:
    """Read an answer: None is success, a text a passing failure. Raises PeerError for a refusal that stays one."""
    if 200 <= answer.status < 300:
        return None
    code = _CODE.search(answer.beginning)
    reason = code[1].decode("ascii") if code else ""
    told = f"HTTP {answer.status}{f' {reason}' if reason else ''}"
    if answer.status in (408, 429) or answer.status >= 500 or reason in _PASSING_CODES:
        return told
    raise PeerError(f"the storage refused it: {told}")
