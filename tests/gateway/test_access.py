"""Who may come in: client keys, worker keys and worker tokens, and without keys only this machine."""

import io
import logging
from contextlib import redirect_stderr

import pytest
from gateway_house import WORKER_KEY, open_house

from acestep_serverless.assembly.core import check_schema
from acestep_serverless.errors import SettingsError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import Settings

KEYS = "first-key, second-key,other:other-key"


@pytest.fixture
async def locked(tmp_path):
    """A gateway with two keys of its own and one of another endpoint."""
    async with open_house(tmp_path / "data", api_keys=KEYS) as house:
        yield house


@pytest.mark.parametrize(
    "header", ["Bearer first-key", "bearer second-key", "first-key", "Bearer   second-key  ", "  first-key "]
)
async def test_a_key_opens_its_endpoint_as_bearer_or_bare(locked, header):
    assert (await locked.get("health", Authorization=header)).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        *("", "Bearer", "Bearer ", "Bearer wrong", "wrong", "Basic Zmlyc3Qta2V5", "Bearer first-key second-key"),
        *("first-ke", "first-key,second-key", "Bearer other-key", "Bearer " + "k" * 60_000, "\xff\xfe", WORKER_KEY),
        "other:other-key",
    ],
)
async def test_no_key_a_wrong_one_or_another_endpoints_is_401_as_json(locked, header):
    for method, operation in (("GET", "health"), ("GET", "status/x"), ("POST", "run"), ("POST", "runsync")):
        headers = {"Authorization": header.encode("latin-1")} if header else {}
        answer = await locked.http.request(method, f"/v2/ace-step/{operation}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["content-type"] == "application/json"
        assert "key" in answer.json()["error"]
        assert "first-key" not in answer.text
        assert len(answer.text) < 200


async def test_without_a_key_nobody_learns_which_endpoints_exist(locked):
    known, unknown = await locked.get("health"), await locked.http.get("/v2/nothing/health")
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


async def test_an_unknown_endpoint_is_404_for_whoever_has_a_key(locked):
    answer = await locked.http.get("/v2/nothing/health", headers={"Authorization": "first-key"})
    assert answer.status_code == 404
    assert "other" not in answer.json()["error"], "names of endpoints that this key does not open"


async def test_jobs_of_one_endpoint_are_not_found_at_another(locked):
    job_id = (await locked.post("run", {"input": 1}, Authorization="first-key")).json()["id"]
    for method, path in (("GET", f"status/{job_id}"), ("POST", f"cancel/{job_id}")):
        answer = await locked.http.request(method, f"/v2/other/{path}", headers={"Authorization": "other-key"})
        assert answer.status_code == 404
    assert (await locked.get(f"status/{job_id}", Authorization="first-key")).json()["status"] == "IN_QUEUE"


async def test_with_keys_the_host_does_not_matter(locked):
    headers = {"Authorization": "first-key", "Host": "music.example.org", "Origin": "https://app.example.org"}
    assert (await locked.get("health", **headers)).status_code == 200


async def test_a_client_key_opens_no_worker_route_and_the_worker_key_no_client_route(locked):
    for header in ("first-key", "", "Bearer"):
        answer = await locked.http.post(
            "/v2/ace-step/workers", json={"worker_id": "x"}, headers={"Authorization": header} if header else {}
        )
        assert answer.status_code == 401
    worker = await locked.hire()
    assert (await locked.get("health", Authorization=worker.token)).status_code == 401


@pytest.mark.parametrize("token", ["", "wrong", WORKER_KEY, "first-key"])
@pytest.mark.parametrize("channel", ["job-take", "job-take-batch", "job-stop", "ping"])
async def test_a_worker_route_opens_only_to_the_workers_own_token(locked, channel, token):
    await locked.hire()
    other = await locked.hire("w2")
    for word in (token, other.token):
        answer = await locked.http.get(f"/v2/ace-step/{channel}/w1", params={"token": word})
        assert answer.status_code == 401
    assert (await locked.http.get(f"/v2/ace-step/{channel}/nobody", params={"token": ""})).status_code == 401


async def test_a_workers_token_is_of_its_endpoint_only(locked):
    worker = await locked.hire()
    assert (await locked.http.get(f"/v2/other/ping/w1?token={worker.token}")).status_code == 401


async def test_a_gateway_without_a_worker_key_admits_no_worker(tmp_path):
    async with open_house(tmp_path / "data", worker_key="") as house:
        for headers in ({}, {"Authorization": ""}, {"Authorization": "Bearer "}):
            answer = await house.http.post("/v2/ace-step/workers", json={"worker_id": "w"}, headers=headers)
            assert answer.status_code == 401


@pytest.mark.parametrize("keys", ["other:", "good,other: ", "ace-step:"])
def test_an_empty_key_is_refused_at_the_start_because_it_would_open_the_endpoint_to_everybody(keys):
    with pytest.raises(SettingsError, match="empty key") as caught:
        Settings.load(api_keys=keys)
    assert "good" not in str(caught.value)


def test_an_address_beyond_loopback_needs_a_key(tmp_path):
    with pytest.raises(SettingsError, match="needs a key"):
        check_schema(Settings.load(host="0.0.0.0", data_dir=tmp_path / "data"))
    check_schema(Settings.load(host="0.0.0.0", api_keys="k", data_dir=tmp_path / "data"))


def test_no_message_about_settings_shows_a_secret(tmp_path, monkeypatch):
    file = tmp_path / "acestep-serverless.toml"
    for line in ('api_keys = ["hush"]\nport = 99999999', 'tokens = "hush"', 'worker_key = ["hush"]', "api_keys = hush"):
        file.write_text(line)
        with pytest.raises(SettingsError) as caught:
            Settings.load()
        assert "hush" not in str(caught.value)
    file.unlink()
    assert "hush" not in repr(Settings(api_keys=("hush",), worker_key="hush"))


HOSTS = {
    "127.0.0.1": True,
    "127.0.0.1:8000": True,
    "127.8.8.8:1": True,
    "localhost": True,
    "LOCALHOST:8000": True,
    "[::1]": True,
    "[::1]:8000": True,
    "": False,
    "evil.example": False,
    "evil.example:8000": False,
    "localhost.evil.example": False,
    "127.0.0.1.evil.example": False,
    "notlocalhost": False,
    "0.0.0.0:8000": False,
    "192.168.1.5:8000": False,
    "[::]:8000": False,
    "[::1": False,
    "2130706433": False,
    "127.0.0.1@evil.example": False,
    "\xff": False,
}


@pytest.mark.parametrize("host", HOSTS)
async def test_without_keys_only_loopback_names_are_answered(house, host):
    answer = await house.http.get("/v2/ace-step/health", headers={"Host": host.encode("latin-1")})
    assert answer.status_code == (200 if HOSTS[host] else 403), answer.text
    if not HOSTS[host]:
        assert "loopback" in answer.json()["error"]


async def test_a_request_without_a_host_is_refused(house):
    sent = []
    scope = {"type": "http", "method": "GET", "path": "/v2/ace-step/health", "query_string": b"", "headers": []}

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    await house.app(scope, receive, send)
    assert sent[0]["status"] == 403


ORIGINS = {
    "http://127.0.0.1:8000": True,
    "https://127.0.0.1:8000": True,
    "null": False,
    "": False,
    "http://evil.example": False,
    "http://127.0.0.1": False,
    "http://127.0.0.1:9000": False,
    "http://localhost:8000": False,
    "http://127.0.0.1:8000.evil.example": False,
    "http://127.0.0.1:8000@evil.example": False,
    "http://[": False,
    "http://[::1": False,
    "127.0.0.1:8000": False,
}


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_keys_web_pages_of_other_sites_are_refused(house, origin, method):
    headers = {"Host": "127.0.0.1:8000", "Origin": origin}
    operation = "health" if method == "GET" else "purge-queue"
    answer = await house.http.request(method, f"/v2/ace-step/{operation}", headers=headers)
    assert answer.status_code == (200 if ORIGINS[origin] else 403)


async def test_every_route_is_guarded_the_documents_too(house):
    for path in ("/openapi.json", "/v1/audio?filename=x", "/v2/ace-step/ping/w", "/nothing"):
        assert (await house.http.get(path, headers={"Host": "evil.example"})).status_code == 403


async def test_no_key_or_token_reaches_the_log_whatever_goes_wrong(tmp_path):
    """The database is taken away under the gateway, so that every route fails and is logged with its traceback."""
    said = io.StringIO()
    with redirect_stderr(said):
        configure_logs("DEBUG")
        logging.getLogger().addHandler(handler := logging.StreamHandler(said))
        async with open_house(tmp_path / "data", api_keys="first-key") as house:
            worker = await house.hire("w1")
            job_id = (await house.post("run", {"input": 1}, Authorization="Bearer first-key")).json()["id"]
            await worker.take()
            with house.parts.desk._database._engine.begin() as connection:  # no public way breaks it
                connection.exec_driver_sql("ALTER TABLE jobs RENAME TO jobs_taken_away")
            failed = [
                await house.post("run", {"input": 1}, Authorization="Bearer first-key"),
                await house.get(f"status/{job_id}", Authorization="Bearer first-key"),
                await worker.done(job_id, '{"output": 1}'),
                await worker.ping(job_id),
            ]
            assert [answer.status_code for answer in failed] == [500] * 4
            for answer in failed:
                assert answer.headers["content-type"] == "application/json", "clients read JSON whatever happens"
                assert "first-key" not in answer.text
        logging.getLogger().removeHandler(handler)
    for secret in ("first-key", worker.token, WORKER_KEY):
        assert secret not in said.getvalue()
