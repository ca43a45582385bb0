"""What do the rows say to a scrape? Every endpoint's queue and workers, read at one moment."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from acestep_serverless.gateway.metrics import EndpointReading
from acestep_serverless.jobs.depths import Depth, depths
from acestep_serverless.registry.states import count_workers


def readings(
    endpoint_ids: Sequence[str], now_ms: Callable[[], int], lease_ms: int
) -> Callable[[sa.Connection], list[EndpointReading]]:
    """Give the piece of reading work of a scrape, for exactly these endpoints. It may take a while on a long queue."""

    def read(connection: sa.Connection) -> list[EndpointReading]:
        now = now_ms()
        queues, workers = depths(connection), count_workers(connection, now - lease_ms)
        return [_reading(name, queues.get(name, Depth()), workers.get(name, {}), now) for name in endpoint_ids]

    return read


def _reading(endpoint_id: str, depth: Depth, workers: dict[str, int], now: int) -> EndpointReading:
    oldest = 0 if depth.waiting_since is None else max(0, now - depth.waiting_since)
    return EndpointReading(endpoint_id, depth.waiting, oldest, depth.running, workers)
