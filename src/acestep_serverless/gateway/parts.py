"""What does a gateway hold? Handles to the rows and the rules; nothing whose loss would change an answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from acestep_serverless.clock import Clock
from acestep_serverless.database.wakeup import Wakeup
from acestep_serverless.gateway.limits import RateLimits
from acestep_serverless.jobs.batches import BatchDesk
from acestep_serverless.jobs.desk import JobDesk
from acestep_serverless.jobs.shelf import Shelf
from acestep_serverless.jobs.streams import StreamDesk
from acestep_serverless.registry.endpoints import EndpointTable
from acestep_serverless.registry.workers import WorkerRegistry


@dataclass(frozen=True, slots=True)
class GatewayRules:
    """Times in seconds.

    `hold` bounds a worker's long poll (the SDK gives up after 90 s, and an idle worker that is told to end waits for
    its poll). `stream_hold` bounds a reader's (the Python client reads for 10 s at most, and the JavaScript client asks
    again without a pause). `look_again` lies between two looks without a bell: what a change whose bell was lost costs
    at most. `refusal` delays the answer to a wrong worker token, since the SDK asks again without a pause.
    """

    hold: float = 25.0
    stream_hold: float = 5.0
    look_again: float = 5.0
    drain_hold: float = 0.3
    refusal: float = 5.0


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the routes need, handed over by `assembly`. `worker_key_digest` admits workers; `new_uuid` makes job
    ids."""

    desk: JobDesk
    endpoints: EndpointTable
    workers: WorkerRegistry
    streams: StreamDesk
    batches: BatchDesk
    shelf: Shelf
    wakeup: Wakeup
    clock: Clock
    worker_key_digest: str
    new_uuid: Callable[[], str]
    rules: GatewayRules
    limits: RateLimits


async def _parts(request: Request) -> Parts:
    return cast("Parts", request.app.state.parts)


PartsHere = Annotated[Parts, Depends(_parts)]
"""A route's parameter: the parts of the app that runs it."""
