"""Which key opens which endpoint, and which workers are known?"""

import hmac
import sqlite3
import time
from pathlib import Path

import pytest

from acestep_serverless.access import keys
from acestep_serverless.access.keys import digest, from_authorization, matches, matches_digest
from acestep_serverless.clock import Clock
from acestep_serverless.database.database import Database
from acestep_serverless.database.engine import sqlite_url
from acestep_serverless.errors import AccessDenied, Conflict, NotFound
from acestep_serverless.registry.endpoints import EndpointTable
from acestep_serverless.registry.workers import WorkerRegistry
from acestep_serverless.settings import Settings

TABLE = EndpointTable({"one": frozenset({"k1", "both"}), "two": frozenset({"k2", "both"})}, 1000)


@pytest.fixture
async def registry(tmp_path):
    database = Database(sqlite_url(tmp_path / "r.sqlite3"))
    database.open()
    clock = Clock(now_ms=lambda: 1_800_000_000_000, monotonic=time.monotonic)
    tokens = (f"token-{number}" for number in range(100))
    yield WorkerRegistry(database, clock, lambda: next(tokens))
    database.close()


def test_a_key_opens_the_endpoints_it_was_given_for():
    assert TABLE.opened_by("k1") == {"one"}
    assert TABLE.opened_by("both") == {"one", "two"}
    assert TABLE.enter("two", "both").id == "two"


@pytest.mark.parametrize("key", ["", "k", "k11", "K1", "k1 ", "k1\x00", "ü", "\ud800", "k" * 10**6])
def test_whatever_else_opens_nothing(key):
    with pytest.raises(AccessDenied):
        TABLE.opened_by(key)
    for endpoint in ("one", "nothing"):
        with pytest.raises(AccessDenied):
            TABLE.enter(endpoint, key)


def test_a_key_of_one_endpoint_is_denied_at_another_and_told_of_no_other_name():
    with pytest.raises(AccessDenied, match="does not open"):
        TABLE.enter("two", "k1")
    with pytest.raises(NotFound) as caught:
        TABLE.enter("nothing", "k1")
    assert "two" not in str(caught.value)


def test_without_any_key_everything_is_open():
    table = EndpointTable({"one": frozenset()}, 1000)
    assert table.is_open
    assert table.enter("one", "whatever").id == "one"
    assert not TABLE.is_open


def test_a_key_for_another_endpoint_closes_the_gateway():
    settings = Settings.load(api_keys="other:secret")
    table = EndpointTable(settings.keys_by_endpoint(), 1000)
    assert not table.is_open
    with pytest.raises(AccessDenied):
        table.enter("ace-step", "")


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


async def test_a_worker_enrols_once_and_its_token_is_stored_as_a_digest(registry, tmp_path):
    token = await registry.enrol("one", "w", from_fleet=False)
    with pytest.raises(Conflict, match="fresh id"):
        await registry.enrol("two", "w", from_fleet=False)
    assert registry.check("one", "w", token) == "ACTIVE"
    with sqlite3.connect(tmp_path / "r.sqlite3") as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert digest(token) in dump
    assert token not in dump


@pytest.mark.parametrize(
    ("endpoint", "worker", "token"),
    [("one", "w", ""), ("one", "w", "wrong"), ("two", "w", "token-0"), ("one", "v", "token-0"), ("one", "", "")],
)
async def test_a_token_opens_its_worker_at_its_endpoint_and_nothing_else(registry, endpoint, worker, token):
    await registry.enrol("one", "w", from_fleet=False)
    with pytest.raises(AccessDenied):
        registry.check(endpoint, worker, token)


async def test_states_go_forward_and_gone_is_for_ever(registry):
    token = await registry.enrol("one", "w", from_fleet=True)
    for state in ("DRAINING", "GONE"):
        await registry.change("one", "w", state)
        assert registry.check("one", "w", token) == state
    for state in ("ACTIVE", "DRAINING", "GONE"):
        with pytest.raises(NotFound):
            await registry.change("one", "w", state)
    await registry.seen("w", polled=True)
    await registry.seen("w")
    assert registry.check("one", "w", token) == "GONE"
    assert registry.views("one") == []


async def test_only_a_fleets_own_workers_that_are_not_gone_are_left_by_it(registry):
    for name, ours in (("a", True), ("b", True), ("c", False)):
        await registry.enrol("one", name, from_fleet=ours)
    await registry.change("one", "b", "GONE")
    assert registry.left_by_a_former_fleet() == [("one", "a")]


async def test_a_worker_of_one_endpoint_cannot_be_changed_or_seen_from_another(registry):
    await registry.enrol("one", "w", from_fleet=False)
    with pytest.raises(NotFound):
        await registry.change("two", "w", "GONE")
    assert [view.id for view in registry.views("one")] == ["w"]
    assert registry.views("two") == []
