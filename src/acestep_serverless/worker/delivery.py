"""Where do finished songs go? To the gateway, into a folder, or (on Runpod, with no gateway) only into the output."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import structlog

from acestep_serverless.clock import Clock
from acestep_serverless.contract.job import FINAL_STATES
from acestep_serverless.contract.music_output import RUNPOD_OUTPUT_BYTES, RUNPOD_SYNC_OUTPUT_BYTES, strict
from acestep_serverless.contract.worker_protocol import DONE_BODY_LIMIT
from acestep_serverless.errors import AcestepServerlessError, PeerError
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.patience import Patience, deliver
from acestep_serverless.worker.sink import AudioFile, Stored, chunks_of

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_log = structlog.get_logger(__name__)


def gateway_client() -> httpx.AsyncClient:
    """Make a client that goes straight to the gateway, past any proxy of the environment, as the SDK's own requests
    do."""
    return httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=10.0), trust_env=False)


@dataclass(slots=True)
class GatewaySink:
    """Hands files and results to a gateway over HTTP. `connect` makes the client: it is called once, inside the event
    loop that delivers, because the Runpod SDK runs two loops one after the other."""

    link: GatewayLink
    clock: Clock
    connect: Callable[[], httpx.AsyncClient] = gateway_client
    patience: Patience = field(default_factory=Patience)
    _http: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def output_limit(self, job_id: str) -> int | None:
        """Return what the gateway reads of one result, in bytes."""
        return DONE_BODY_LIMIT

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """PUT the file with its length and checksum (RFC 9530); its URL is the gateway's `file` value."""
        url = self.link.artifact_url(job_id, index, audio.suffix)
        digest = base64.b64encode(bytes.fromhex(audio.sha256)).decode("ascii")
        headers = {
            "Content-Type": audio.media_type,
            "Content-Length": str(audio.bytes),
            "Content-Digest": f"sha-256=:{digest}:",
        }

        async def put() -> httpx.Response:
            return await self._client().put(url, content=chunks_of(audio.path), headers=headers)

        response = await deliver(put, what=audio.called(index), patience=self.patience, clock=self.clock)
        file = _stored_file(response, audio)
        return Stored(file, file)

    async def announce(self, job_id: str, output: Mapping[str, object]) -> bool:
        """POST a job's result in the SDK's own body shape, with patience; return whether the gateway says that the job
        is final now, by this result or by anything else.

        The SDK posts the same once more after the handler has returned; the gateway ignores the repetition.
        """
        url, body = self.link.done_url(job_id), result_body(output)
        headers = {"Content-Type": "application/json"}

        async def post() -> httpx.Response:
            return await self._client().post(url, content=body, headers=headers)

        try:
            response = await deliver(post, what="the result", patience=self.patience, clock=self.clock)
        except AcestepServerlessError as error:
            _log.error("the gateway did not take a result", job=job_id, reason=str(error))
            return False
        return _member(response, "status") in FINAL_STATES

    async def aclose(self) -> None:
        """Close the connections, if any were made."""
        if self._http is not None:
            await self._http.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = self.connect()
        return self._http


def result_body(output: Mapping[str, object]) -> bytes:
    """Encode a handler's output as the SDK posts it: `error` beside `output`, which is left out when nothing else is
    in it."""
    rest = {name: value for name, value in output.items() if name != "error"}
    body: dict[str, object] = {"output": rest} if rest else {}
    if output.get("error"):
        body["error"] = output["error"]
    return json.dumps(strict(body), ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class InlineSink:
    """Keeps nothing: on Runpod, without a place for files, audio travels in the output or not at all."""

    def output_limit(self, job_id: str) -> int | None:
        """Return Runpod's bound on an output: 20 MB for `/runsync` jobs, 10 MB for others."""
        return RUNPOD_SYNC_OUTPUT_BYTES if job_id.startswith("sync-") else RUNPOD_OUTPUT_BYTES

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """Return the guide's `file` value for a name; nothing is kept under it."""
        return Stored(f"/v1/audio?filename={quote(_name(job_id, index, audio), safe='')}", kept=False)


@dataclass(frozen=True, slots=True)
class FolderSink:
    """Copies files into a folder on this machine; `file` is the path. Song 1 is `{stem}.mp3`, the next
    `{stem}-2.mp3`."""

    folder: Path
    stem: str | None = None

    def output_limit(self, job_id: str) -> int | None:
        """Return None: nothing bounds an output that stays here."""
        return None

    async def store(self, job_id: str, index: int, audio: AudioFile) -> Stored:
        """Copy the file beside its final name, then rename it: whoever sees the name sees the whole song."""
        name = _name(job_id, index, audio)
        if self.stem is not None:
            name = f"{self.stem}{f'-{index + 1}' if index else ''}{audio.suffix}"
        return Stored(str(await asyncio.to_thread(_copy, audio.path, self.folder / name)))


def _copy(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, unfinished)
    return unfinished.replace(target)


def _name(job_id: str, index: int, audio: AudioFile) -> str:
    """Return a file name without path parts, whatever the job's id is made of."""
    safe = job_id if _SAFE_NAME.fullmatch(job_id) else hashlib.sha256(job_id.encode("utf-8", "replace")).hexdigest()
    return f"{safe}-{index}{audio.suffix}"


def _stored_file(response: httpx.Response, audio: AudioFile) -> str:
    file, sha256 = _member(response, "file"), _member(response, "sha256")
    if not file:
        raise PeerError("the gateway took a song but did not say where it is")
    if sha256 and sha256 != audio.sha256:
        raise PeerError("the gateway stored a song with another checksum than the worker sent")
    return file


def _member(response: httpx.Response, name: str) -> str:
    """Read one text of an answer that should be a JSON object; "" when it is none or has no such text."""
    try:
        answer = response.json()
    except ValueError:
        return ""
    found = answer.get(name) if isinstance(answer, dict) else None
    return found if isinstance(found, str) else ""
