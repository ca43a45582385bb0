"""The fixture of the jobs' tests: an office with a desk."""

from collections.abc import AsyncIterator

import pytest
from jobs_house import Office, open_office


@pytest.fixture
async def office(database_url: str) -> AsyncIterator[Office]:
    """A desk over an empty database of each kind."""
    async with open_office(database_url) as office:
        yield office
