"""What the tests of the whole endpoint share: a gateway of their own and workers that end with each test."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from house import House, SdkWorker


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway without workers of its own and with a short patience: 1 s between heartbeats, 3 s of lease."""
    folder = tmp_path_factory.mktemp("house")
    house = House(folder / "data", "--workers", "0", heartbeat_seconds="1", lease_seconds="3")
    yield house
    house.close()


@pytest.fixture
def hire(house: House) -> Iterator[Callable[..., SdkWorker]]:
    """Start workers of a mode of sdk_worker.py; they end with the test."""
    hired: list[SdkWorker] = []

    def start(mode: str, *, polls: bool = True, **more: Any) -> SdkWorker:
        hired.append(SdkWorker(house, f"{mode}-{time.monotonic_ns()}", mode, **more))
        return hired[-1].has_polled() if polls else hired[-1]

    yield start
    try:
        house.post("purge-queue")
    finally:
        for worker in hired:
            worker.close()
