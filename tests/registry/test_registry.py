"""Which key opens which endpoint, and which workers are known?"""

import hmac
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from acestep_serverless.access import keys
from acestep_serverless.access.keys import digest, from_authorization, matches, matches_digest
from acestep_serverless.clock import Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.tables import WORKERS
from acestep_serverless.errors import AccessDenied, Conflict, NotFound
from acestep_serverless.registry.endpoints import EndpointTable
from acestep_serverless.registry.workers import WorkerRegistry
from acestep_serverless.settings import Settings

TABLE = EndpointTable({"one": frozenset({"k1", "both"}), "two": frozenset({"k2", "both"})}, {"one": 1000, "two": 1000})


class Moment:
    """The wall clock, in milliseconds."""

    now = 1_800_000_000_000


@pytest.fixture
def moment():
    return Moment()


@pytest.fixture
async def registry(database_url, moment):
    database = Database(database_url)
    database.open()
    clock = Clock(now_ms=lambda: moment.now, monotonic=time.monotonic)
    tokens = (f"token-{number}" for number in range(100))
    yield WorkerRegistry(database, clock, lambda: next(tokens))
    database.close()


async def test_a_key_opens_the_endpoints_it_was_given_for():
    assert await TABLE.opened_by("k1") == {"one"}
    assert await TABLE.opened_by("both") == {"one", "two"}
    assert (await TABLE.enter("two", "both")).id == "two"


@pytest.mark.parametrize("key", ["", "k", "k11", "K1", "k1 ", "k1\x00", "ü", "\ud800", "k" * 10**6])
async def test_whatever_else_opens_nothing(key):
    with pytest.raises(AccessDenied):
        await TABLE.opened_by(key)
    for endpoint in ("one", "nothing"):
        with pytest.raises(AccessDenied):
            await TABLE.enter(endpoint, key)


async def test_a_key_of_one_endpoint_is_denied_at_another_and_told_of_no_other_name():
    with pytest.raises(AccessDenied, match="does not open"):
        await TABLE.enter("two", "k1")
    with pytest.raises(NotFound) as caught:
        await TABLE.enter("nothing", "k1")
    assert "two" not in str(caught.value)


async def test_without_any_key_everything_is_open():
    table = EndpointTable({"one": frozenset()}, {"one": 1000})
    assert await table.is_open()
    assert (await table.enter("one", "whatever")).id == "one"
    assert not await TABLE.is_open()


async def test_a_key_for_another_endpoint_closes_the_gateway():
    settings = Settings.load(api_keys="other:secret")
    table = EndpointTable(settings.keys_by_endpoint(), dict.fromkeys(settings.keys_by_endpoint(), 1000))
    assert not await table.is_open()
    with pytest.raises(AccessDenied):
        await table.enter("ace-step", "")


def test_keys_are_compared_in_constant_time_and_only_there():
    """The one comparison is hmac's; no other file compares keys or tokens by itself."""
    assert keys.hmac is hmac
    assert "hmac.compare_digest" in Path(keys.__file__).read_text()
    root = Path(keys.__file__).parent.parent
    for room in ("registry", "gateway"):
        for file in (root / room).glob("*.py"):
            text = file.read_text()
            assert "key ==" not in text, file
            assert "token ==" not in text, file
            assert "_digest ==" not in text, file


def test_digests_match_their_key_and_no_other():
    assert matches_digest("k", digest("k"))
    assert not matches_digest("k", digest("K"))
    assert not matches("", "k")
    assert len(digest("\ud800")) == 64


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("Bearer k", "k"),
        ("BEARER  k ", "k"),
        ("k", "k"),
        (" k ", "k"),
        ("Bearer", ""),
        ("", ""),
        ("bearer\tk", "bearer\tk"),
        ("Basic abc", "Basic abc"),
    ],
)
def test_the_key_in_an_authorization_header(header, key):
    assert from_authorization(header) == key


async def test_a_worker_enrols_once_and_its_token_is_stored_as_a_digest(registry):
    token = await registry.enrol("one", "w", fleet_id=None)
    with pytest.raises(Conflict, match="fresh id"):
        await registry.enrol("two", "w", fleet_id=None)
    assert await registry.check("one", "w", token) == "ACTIVE"
    row = await registry._database.read(lambda connection: connection.execute(sa.select(WORKERS)).one())
    assert digest(token) in row
    assert not any(token in str(value) for value in row)


@pytest.mark.parametrize(
    ("endpoint", "worker", "token"),
    [("one", "w", ""), ("one", "w", "wrong"), ("two", "w", "token-0"), ("one", "v", "token-0"), ("one", "", "")],
)
async def test_a_token_opens_its_worker_at_its_endpoint_and_nothing_else(registry, endpoint, worker, token):
    await registry.enrol("one", "w", fleet_id=None)
    with pytest.raises(AccessDenied):
        await registry.check(endpoint, worker, token)


async def test_a_drained_worker_is_not_fed_and_stays_drained(registry):
    token = await registry.enrol("one", "w", fleet_id="f1")
    for _ in range(2):
        await registry.drain("one", "w")
        assert await registry.check("one", "w", token) == "DRAINING"
    await registry.polls("w", 1_000)
    await registry.pinged("w", None)
    assert await registry.check("one", "w", token) == "DRAINING"
    await registry.polls("unknown", 1_000)
    await registry.pinged("unknown", None)


async def test_only_a_fleets_own_workers_are_left_by_it(registry):
    for name, fleet in (("a", "f1"), ("b", "f2"), ("c", None), ("d", "f1")):
        await registry.enrol("one", name, fleet_id=fleet)
    assert sorted(await registry.left_by("f1")) == ["a", "d"]
    assert await registry.left_by("f3") == []


async def test_one_fleet_at_a_time_acts_for_an_endpoint(registry, moment):
    assert await registry.leads("one", "f1", 10_000)
    assert not await registry.leads("one", "f2", 10_000)
    assert await registry.leads("two", "f2", 10_000), "each endpoint has its own lease"
    moment.now += 9_000
    assert await registry.leads("one", "f1", 10_000), "renewed"
    moment.now += 9_000
    assert not await registry.leads("one", "f2", 10_000)
    moment.now += 1_001
    assert await registry.leads("one", "f2", 10_000), "the first one has been silent for too long"
    assert not await registry.leads("one", "f1", 10_000)


async def test_a_worker_of_one_endpoint_cannot_be_changed_or_seen_from_another(registry):
    await registry.enrol("one", "w", fleet_id=None)
    with pytest.raises(NotFound):
        await registry.drain("two", "w")
    assert [view.id for view in await registry.views("one")] == ["w"]
    assert await registry.views("two") == []
