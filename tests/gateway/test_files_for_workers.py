"""May a worker read the song of an earlier job? With its own token, of its own endpoint, and nothing else."""

from collections.abc import Callable

import httpx
import pytest
from gateway_house import GatewayHouse, Hired, open_house

from acestep_serverless.errors import NotFound, PeerError, PeerUnreachable, TooLarge
from acestep_serverless.worker.earlier import GatewayFiles
from acestep_serverless.worker.link import GatewayLink

SONG = bytes(range(256)) * 400


async def filed(house: GatewayHouse, worker: Hired) -> str:
    """Make a job and file its song; gives the name in its `file`."""
    job_id = await house.run()
    await worker.take()
    file = (await worker.put(job_id, "0.mp3", SONG)).json()["file"]
    await worker.done(job_id, '{"output": 1}')
    return str(file.partition("filename=")[2])


def files_of(house: GatewayHouse, worker: Hired, endpoint_id: str = "ace-step", token: str = "") -> GatewayFiles:
    """What a worker of ours does to read a file, with this gateway as the other side."""

    def connect() -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(house.app), timeout=10)

    link = GatewayLink("http://127.0.0.1:8000", endpoint_id, worker.id, token or worker.token)
    return GatewayFiles(link, connect)


async def fetched(files: GatewayFiles, name: str, limit: int = len(SONG)) -> bytes:
    body = bytearray()
    await files.fetch_file(name, body.extend, limit=limit)
    return bytes(body)


async def test_a_worker_reads_the_song_of_an_earlier_job_whoever_made_it(house: GatewayHouse) -> None:
    name = await filed(house, await house.hire("w1"))
    assert await fetched(files_of(house, await house.hire("w2")), name) == SONG


async def test_a_file_over_the_limit_is_refused(house: GatewayHouse) -> None:
    worker = await house.hire()
    with pytest.raises(TooLarge, match="102,399"):
        await fetched(files_of(house, worker), await filed(house, worker), limit=len(SONG) - 1)


async def test_what_is_no_song_of_the_endpoint_is_not_there(house: GatewayHouse) -> None:
    worker = await house.hire()
    await filed(house, worker)
    for name in ("0" * 40 + ".mp3", "..", "incoming", "../worker.key", "%2e%2e/worker.key", "a b", "é"):
        with pytest.raises((NotFound, PeerError)):
            await fetched(files_of(house, worker), name)


async def test_only_a_living_workers_own_token_opens_the_door(house: GatewayHouse) -> None:
    first, second = await house.hire("w1"), await house.hire("w2")
    name = await filed(house, first)
    path = f"/v2/ace-step/artifacts/w1/{name}"
    for wrong in ("", "?token=", "?token=wrong", f"?token={second.token}"):
        assert (await house.http.get(path + wrong)).status_code == 401, wrong
    assert (await house.http.get(path, headers={"Authorization": f"Bearer {first.token}"})).status_code == 401
    await house.workers("/w1/ended", {"died": False})
    with pytest.raises(PeerError, match="401"):
        await fetched(files_of(house, first), name)


async def test_a_worker_of_another_endpoint_is_told_that_there_is_no_such_file(tmp_path) -> None:
    async with open_house(tmp_path / "data", api_keys="", endpoints={"other": {"workers": 0}}) as house:
        name = await filed(house, await house.hire("w1"))
        house.endpoint_id = "other"
        stranger = await house.hire("w9")
        with pytest.raises(NotFound):
            await fetched(files_of(house, stranger, "other"), name)
        with pytest.raises(PeerError, match=r"40[14]"):
            await fetched(files_of(house, stranger, "ace-step"), name)


class Away(httpx.AsyncBaseTransport):
    """Is not there for the first requests, then somebody else is."""

    def __init__(self, times: int, then: httpx.AsyncBaseTransport) -> None:
        self.left, self.then = times, then

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.left -= 1
        if self.left >= 0:
            raise httpx.ConnectError("refused")
        return await self.then.handle_async_request(request)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("acestep_serverless.worker.earlier.PAUSES", (0.0, 0.0, 0.0))


def away(house: GatewayHouse, worker: Hired, times: int) -> GatewayFiles:
    transport = Away(times, httpx.ASGITransport(house.app))
    connect: Callable[[], httpx.AsyncClient] = lambda: httpx.AsyncClient(transport=transport)  # noqa: E731 - typed here
    return GatewayFiles(GatewayLink("http://127.0.0.1:8000", "ace-step", worker.id, worker.token), connect)


@pytest.mark.usefixtures("quick")
async def test_a_gateway_that_is_away_for_a_moment_is_asked_again(house: GatewayHouse) -> None:
    worker = await house.hire()
    name = await filed(house, worker)
    assert await fetched(away(house, worker, 3), name) == SONG
    with pytest.raises(PeerUnreachable, match="does not answer"):
        await fetched(away(house, worker, 4), name)
