"""Fixtures of the gateway's tests: an open gateway, and a way to open others."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gateway_house import GatewayHouse, open_house

from acestep_serverless.database.engine import is_sqlite


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("ACESTEP_SERVERLESS_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
async def house(tmp_path: Path, database_url: str) -> AsyncIterator[GatewayHouse]:
    """A gateway without keys, on each kind of database."""
    elsewhere = {} if is_sqlite(database_url) else {"database_url": database_url}
    async with open_house(tmp_path / "data", **elsewhere) as house:
        yield house
