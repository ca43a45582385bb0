"""What can every endpoint do, wherever it is? The calls that `AsyncClient` and an endpoint in this process share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Unpack

from acestep_serverless.client.driving import Told
from acestep_serverless.client.fields import MusicFields
from acestep_serverless.client.songs import Generation, Job

LOCAL_JOB = "local-"
"""How the id of a job in this process begins."""


class MakesSongs(Protocol):
    """What an endpoint can do, wherever it is: `client.AsyncClient` and `LocalEndpoint`."""

    async def submit(
        self, payload: Mapping[str, Any] | None = None, *, check: bool = True, **fields: Unpack[MusicFields]
    ) -> Job:
        """Queue a job."""
        ...

    async def status(self, job: str | Job) -> Job:
        """Look at a job."""
        ...

    async def wait(self, job: str | Job, *, timeout: float | None = None, told: Told | None = None) -> Generation:  # noqa: ASYNC109 - as in client/endpoint.py
        """Wait for the output of a job."""
        ...

    async def cancel(self, job: str | Job) -> Job:
        """Cancel a job."""
        ...

    async def save(
        self, what: Generation | Job, folder: str | Path, *, stem: str = "", overwrite: bool = False
    ) -> tuple[Path, ...]:
        """Save every song."""
        ...

    async def jobs(self, *, limit: int = 50, offset: int = 0, state: str | None = None) -> tuple[Job, ...]:
        """List jobs, newest first."""
        ...
