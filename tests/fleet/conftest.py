"""What the tests of the fleet share: a gateway for each file, and fleets that end with each test."""

import contextlib
from collections.abc import Iterator

import pytest
from fleet_yard import KEY, OBEDIENT, Served, Yard, listen

from acestep_serverless.settings import Settings


@pytest.fixture(scope="module")
def gateway(tmp_path_factory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = Settings.load(data_dir=folder / "data", worker_key=KEY)
    served = Served(settings, listen())
    yield served
    served.stop()


@pytest.fixture
def yard(gateway):
    """Make fleets; their workers end with the test."""
    with contextlib.ExitStack() as closing:

        def make(program=OBEDIENT, policy=None, port=gateway.port, **more):
            made = Yard(port, program, policy, **more)
            closing.callback(made.close)
            return made

        yield make
