"""What does every route need? The engine, its tasks, the key, the clock, and the shapes that answers travel in."""

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Request

from acestep_serverless.acestep_api.body import read_fields
from acestep_serverless.acestep_api.desk import Desk
from acestep_serverless.acestep_api.keys import check_body, check_header
from acestep_serverless.acestep_api.scheduler import Scheduler
from acestep_serverless.acestep_api.sounds import Sounds
from acestep_serverless.clock import Clock
from acestep_serverless.contract.acestep import envelope, soft_error
from acestep_serverless.engines.base import Engine

Answer = dict[str, object]


@dataclass(frozen=True, slots=True)
class Server:
    """One ACE-Step server. `started` is its start in seconds since 1970; `adapters` is the folder adapters lie in;
    `lookers` are the threads for requests that bring sound files."""

    engine: Engine
    tasks: Scheduler
    clock: Clock
    new_id: Callable[[], str]
    new_seed: Callable[[], int]
    api_key: str | None
    lenient: bool
    largest_upload: int
    adapters: Path | None
    desk: Desk
    lookers: Executor
    started: int

    def answer(self, data: object) -> Answer:
        """Wrap an answer in the envelope."""
        return envelope(data, self.clock.now_ms())

    def soft(self, code: int, sentence: str) -> Answer:
        """Refuse as upstream does where it answers 200: the code and the sentence stand in the envelope."""
        return soft_error(code, sentence, self.clock.now_ms())

    def new_sounds(self) -> Sounds:
        """Make room for the files of one request."""
        return Sounds(self.tasks.folder, self.largest_upload)

    async def fields(self, request: Request, *, optional: bool = False) -> Mapping[str, Any]:
        """Read a body without files whose sender holds the key, in the body or in the header. Raises HTTPException."""
        fields = await read_fields(request, optional=optional)
        check_body(request, fields, self.api_key)
        return fields

    def check_header(self, request: Request) -> None:
        """Let a request pass whose header holds the key. Raises HTTPException 401."""
        check_header(request, self.api_key)
