"""Does a probe tell the truth? Alive without anybody's help; ready with a database that answers, until the end."""

import asyncio

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

from acestep_serverless.access.loopback import LoopbackGuard
from acestep_serverless.gateway import failures, probes
from acestep_serverless.gateway.probes import probe_routes


class House:
    """A small app with the probes over a real SQLite file that can be taken away."""

    def __init__(self, path) -> None:
        self.closing, self.asked = False, 0
        self.engine = sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool)
        self.app = FastAPI(openapi_url=None)
        failures.install(self.app)
        self.app.include_router(probe_routes(self.ask, lambda: self.closing))
        self.app.add_middleware(LoopbackGuard)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://127.0.0.1")

    async def ask(self) -> object:
        self.asked += 1
        with self.engine.connect() as connection:
            return connection.execute(sa.select(1)).scalar()


@pytest.fixture
def small(tmp_path) -> House:
    return House(tmp_path / "rows.sqlite3")


async def test_livez_answers_without_key_and_without_the_database(small):
    small.closing = True
    answer = await small.http.get("/livez")
    assert (answer.status_code, answer.json(), small.asked) == (200, {"status": "ok"}, 0)


async def test_readyz_asks_the_database(small):
    answer = await small.http.get("/readyz")
    assert (answer.status_code, answer.json(), small.asked) == (200, {"status": "ok"}, 1)


async def test_readyz_is_503_with_one_sentence_and_no_secret_when_the_database_is_away(small, tmp_path):
    small.engine = sa.create_engine(f"sqlite:///{tmp_path}/none/rows.sqlite3", poolclass=sa.NullPool)
    answer = await small.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"error": "the database does not answer within 2 s"}


async def test_readyz_does_not_wait_for_ever(small, monkeypatch):
    monkeypatch.setattr(probes, "ANSWER_LIMIT", 0.01)
    app = FastAPI()
    failures.install(app)
    app.include_router(probe_routes(asyncio.Event().wait, lambda: False))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        assert (await http.get("/readyz")).status_code == 503


async def test_readyz_is_503_as_soon_as_the_gateway_is_ending(small):
    small.closing = True
    answer = await small.http.get("/readyz")
    assert (answer.status_code, answer.json(), small.asked) == (503, {"error": "the gateway is ending"}, 0)


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_an_open_gateway_answers_probes_on_loopback_names_only(small, path):
    assert (await small.http.get(path, headers={"Host": "evil.example"})).status_code == 403
