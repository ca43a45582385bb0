"""Does a worker go on where its gateway does not listen to what its engine can do? Older gateways, and none at all."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from acestep_serverless.assembly.studio import SKETCH
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.abilities import read_statement
from acestep_serverless.worker.link import GatewayLink
from acestep_serverless.worker.patience import Patience
from acestep_serverless.worker.telling import tell_abilities

LINK = GatewayLink("http://gateway", "ace-step", "w-1", "a secret/token")


class Listening:
    """A gateway that answers with these statuses in turn, and keeps what it was told."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.told = list(statuses), []
        app = Starlette(routes=[Route("/v2/ace-step/abilities/w-1", self.answer, methods=["PUT"])])
        self.transport = httpx.ASGITransport(app)

    def connect(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.transport)

    async def answer(self, request: Request) -> Response:
        self.told.append((request.query_params["token"], await request.body()))
        return JSONResponse({"error": "so it is"}, self.statuses.pop(0))


def test_what_the_engine_can_do_is_told_with_the_workers_own_token_until_it_is_taken():
    gateway = Listening(503, 200)
    assert tell_abilities(LINK, SKETCH, SYSTEM_CLOCK, connect=gateway.connect, patience=Patience(first=0.0))
    assert [token for token, _ in gateway.told] == [LINK.token] * 2
    assert read_statement(json.loads(gateway.told[-1][1])) == SKETCH


@pytest.mark.parametrize("status", [400, 401, 404, 405, 413])
def test_a_gateway_that_does_not_take_it_is_asked_once_and_its_worker_goes_on(status: int, capsys):
    gateway = Listening(status)
    assert not tell_abilities(LINK, SKETCH, SYSTEM_CLOCK, connect=gateway.connect)
    assert len(gateway.told) == 1
    said = capsys.readouterr().out
    assert "takes this worker to do everything" in said
    assert "secret" not in said


def test_a_gateway_that_is_away_is_waited_for_within_bounds():
    gone = GatewayLink("http://127.0.0.1:9", "ace-step", "w-1", "token")
    assert not tell_abilities(gone, SKETCH, SYSTEM_CLOCK, patience=Patience(total=0.0))
