"""Does the key of an ACE-Step server elsewhere go there and nowhere else? Over real sockets, with a proxy set."""

import pytest
from recording_server import Recorded, Reply, recording_server

from acestep_serverless.assembly.api import connection_to
from acestep_serverless.client.acestep import AceStepClient
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.settings import Settings


async def test_a_proxy_of_the_environment_never_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def acestep(_request: Recorded) -> Reply:
        return Reply(200, {"code": 200, "data": {"task_id": "t-1"}, "error": None})

    async with recording_server(acestep) as server, recording_server(acestep) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        async with connection_to(Settings.load(acestep_api_url=server.url)) as http:
            client = AceStepClient(http, clock=SYSTEM_CLOCK, api_key="a-secret-key")
            assert await client.release({"prompt": "a tone"}) == "t-1"
    assert proxy.requests == []
    assert [request.headers["authorization"] for request in server.requests] == ["Bearer a-secret-key"]
