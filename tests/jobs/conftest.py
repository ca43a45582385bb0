"""The fixture of the jobs' tests: an office with a desk."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from jobs_house import Office, open_office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A desk over an empty database."""
    async with open_office(tmp_path) as office:
        yield office
