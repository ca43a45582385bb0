"""How does a program make songs at an endpoint? `Client` blocks, `AsyncClient` awaits; both do and refuse the same.

    with Client("http://127.0.0.1:8000", key="my-key") as client:
        generation = client.generate(caption="slow strings", duration=20)
        client.save(generation, "songs")

Errors are those of endings.py. A job is queued at most once for each call.
"""

import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypedDict, Unpack

import httpx

from acestep_serverless.client.address import Access, access_from, checked_key, read_address
from acestep_serverless.client.conversation import Conversation, Patience, generation_of
from acestep_serverless.client.driving import AsyncDriver, Driver, Told
from acestep_serverless.client.fields import MusicFields
from acestep_serverless.client.saving import LARGEST_SONG, Saving, save
from acestep_serverless.client.songs import Generation, Job
from acestep_serverless.clock import SYSTEM_CLOCK, Clock
from acestep_serverless.errors import FieldProblem, InputError

JobName = str | Job
Payload = Mapping[str, Any] | None


def _name(job: JobName) -> str:
    return job.id if isinstance(job, Job) else job


def _beside(webhook: str | None, policy: Payload, s3_config: Payload) -> dict[str, Any]:
    return {"webhook": webhook, "policy": policy, "s3Config": s3_config}


class Options(TypedDict, total=False):
    """What a client can be told beside its endpoint. `endpoint_id` and `key` go with a URL; `interval` is the longest
    time in seconds between two looks at a job, 0.1 to 60; `chance` gives numbers from 0 to 1."""

    endpoint_id: str | None
    key: str
    interval: float
    patience: Patience
    clock: Clock
    chance: Callable[[], float]


def _conversation(endpoint: str | Access, options: Options) -> Conversation:
    if isinstance(endpoint, str):
        address = read_address(endpoint, options.get("endpoint_id"))
        endpoint = Access(address, checked_key(options.get("key", "")))
    interval = options.get("interval", 2.0)
    if not 0.1 <= interval <= 60.0:
        raise InputError([FieldProblem("interval", f"{interval:g}", "must be a number of seconds from 0.1 to 60")])
    return Conversation(
        endpoint,
        options.get("clock", SYSTEM_CLOCK),
        options.get("chance", random.random),
        options.get("patience", Patience()),
        interval,
    )


class Client:
    """A blocking client of one endpoint. `endpoint` is a URL (with or without `/v2/ENDPOINT_ID`) or an Access; without
    `key` none is sent. Threads may share a client."""

    def __init__(
        self, endpoint: str | Access, *, transport: httpx.BaseTransport | None = None, **options: Unpack[Options]
    ) -> None:
        self._talk = _conversation(endpoint, options)
        self.address = self._talk.access.address
        self._driver = Driver(self.address, transport)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], endpoint: str | None = None, endpoint_id: str | None = None
    ) -> "Client":
        """Make a client of what the variables of an environment name (docs/clients.md); arguments go before them."""
        return cls(access_from(environ, endpoint, endpoint_id))

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._driver.close()

    def generate(
        self,
        payload: Payload = None,
        *,
        timeout: float | None = None,
        told: Told | None = None,
        check: bool = True,
        webhook: str | None = None,
        policy: Payload = None,
        s3_config: Payload = None,
        **fields: Unpack[MusicFields],
    ) -> Generation:
        """Queue a job and wait for its output: `submit` and `wait`, with their errors."""
        beside = _beside(webhook, policy, s3_config)
        return self._driver.run(self._talk.generate(payload, fields, beside, check=check, timeout=timeout), told)

    def submit(
        self,
        payload: Payload = None,
        *,
        check: bool = True,
        webhook: str | None = None,
        policy: Payload = None,
        s3_config: Payload = None,
        **fields: Unpack[MusicFields],
    ) -> Job:
        """Queue a job and give it as it was queued.

        `payload` is the guide's: the input, or the whole job body when it has `input`; `fields` are added. What the
        handler would refuse is refused here, unless `check` is False: then anything goes out as it is.
        Raises InputError, SubmissionUnknown (the job may exist), AccessDenied, TooLarge, TooManyRequests,
        PeerUnreachable and RefusedByEndpoint; after all but SubmissionUnknown nothing was queued.
        """
        return self._driver.run(self._talk.submit(payload, fields, _beside(webhook, policy, s3_config), check=check))

    def status(self, job: JobName) -> Job:
        """Look at a job. Raises NotFound for one that is not kept, or never was."""
        return self._driver.run(self._talk.status(_name(job)))

    def follow(self, job: JobName, *, timeout: float | None = None) -> Iterator[Job]:
        """Give the job now and whenever it has changed; the last one is final. Raises StillRunning after `timeout`
        seconds."""
        return self._driver.tellings(self._talk.follow(_name(job), timeout))

    def wait(self, job: JobName, *, timeout: float | None = None, told: Told | None = None) -> Generation:
        """Wait for the output of a job; `told` is called with the job now and whenever it has changed.

        Raises JobFailed, JobCancelled, JobTimedOut, StillRunning after `timeout` seconds, NotFound.
        """
        return self._driver.run(self._talk.wait(_name(job), timeout), told)

    def cancel(self, job: JobName) -> Job:
        """Cancel a job, waiting or running; one that had ended keeps its state, which is the answer."""
        return self._driver.run(self._talk.cancel(_name(job)))

    def save(
        self,
        what: Generation | Job,
        folder: str | Path,
        *,
        stem: str = "",
        overwrite: bool = False,
        largest: int = LARGEST_SONG,
    ) -> tuple[Path, ...]:
        """Save every song as `{stem}.mp3`, `{stem}-2.mp3`, ... in a folder, which is made; `stem` is the job's id
        unless given. A file that is this very song already is kept; `largest` bounds each in bytes.

        Raises NotFound (nobody keeps the song), Conflict (another file has the name), TooLarge, InputError, PeerError
        (not what was announced), PeerUnreachable.
        """
        saving = Saving(Path(folder), stem, overwrite, largest)
        return self._driver.run(save(self._talk, what if isinstance(what, Generation) else generation_of(what), saving))

    def jobs(self, *, limit: int = 50, offset: int = 0, state: str | None = None) -> tuple[Job, ...]:
        """List the jobs of a gateway of this project, newest first, without their outputs."""
        return self._driver.run(self._talk.jobs(limit, offset, state))

    def health(self) -> dict[str, Any]:
        """Count the endpoint's jobs and workers, in the platform's words."""
        return self._driver.run(self._talk.health())


class AsyncClient:
    """The same for an event loop; arguments, results and errors are those of `Client`."""

    def __init__(
        self, endpoint: str | Access, *, transport: httpx.AsyncBaseTransport | None = None, **options: Unpack[Options]
    ) -> None:
        self._talk = _conversation(endpoint, options)
        self.address = self._talk.access.address
        self._driver = AsyncDriver(self.address, transport)

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], endpoint: str | None = None, endpoint_id: str | None = None
    ) -> "AsyncClient":
        """Make a client as `Client.from_environment` does."""
        return cls(access_from(environ, endpoint, endpoint_id))

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._driver.close()

    async def generate(
        self,
        payload: Payload = None,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with StillRunning, which names the job that goes on
        told: Told | None = None,
        check: bool = True,
        webhook: str | None = None,
        policy: Payload = None,
        s3_config: Payload = None,
        **fields: Unpack[MusicFields],
    ) -> Generation:
        """Queue a job and wait for its output, as `Client.generate` does."""
        beside = _beside(webhook, policy, s3_config)
        return await self._driver.run(self._talk.generate(payload, fields, beside, check=check, timeout=timeout), told)

    async def submit(
        self,
        payload: Payload = None,
        *,
        check: bool = True,
        webhook: str | None = None,
        policy: Payload = None,
        s3_config: Payload = None,
        **fields: Unpack[MusicFields],
    ) -> Job:
        """Queue a job, as `Client.submit` does."""
        return await self._driver.run(
            self._talk.submit(payload, fields, _beside(webhook, policy, s3_config), check=check)
        )

    async def status(self, job: JobName) -> Job:
        """Look at a job, as `Client.status` does."""
        return await self._driver.run(self._talk.status(_name(job)))

    def follow(self, job: JobName, *, timeout: float | None = None) -> AsyncIterator[Job]:
        """Give the job now and whenever it has changed, as `Client.follow` does."""
        return self._driver.tellings(self._talk.follow(_name(job), timeout))

    async def wait(
        self,
        job: JobName,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - it ends with StillRunning, which names the job that goes on
        told: Told | None = None,
    ) -> Generation:
        """Wait for the output of a job, as `Client.wait` does."""
        return await self._driver.run(self._talk.wait(_name(job), timeout), told)

    async def cancel(self, job: JobName) -> Job:
        """Cancel a job, as `Client.cancel` does."""
        return await self._driver.run(self._talk.cancel(_name(job)))

    async def save(
        self,
        what: Generation | Job,
        folder: str | Path,
        *,
        stem: str = "",
        overwrite: bool = False,
        largest: int = LARGEST_SONG,
    ) -> tuple[Path, ...]:
        """Save every song, as `Client.save` does."""
        saving = Saving(Path(folder), stem, overwrite, largest)
        found = what if isinstance(what, Generation) else generation_of(what)
        return await self._driver.run(save(self._talk, found, saving))

    async def jobs(self, *, limit: int = 50, offset: int = 0, state: str | None = None) -> tuple[Job, ...]:
        """List the jobs of a gateway of this project, newest first, without their outputs."""
        return await self._driver.run(self._talk.jobs(limit, offset, state))

    async def health(self) -> dict[str, Any]:
        """Count the endpoint's jobs and workers, in the platform's words."""
        return await self._driver.run(self._talk.health())
