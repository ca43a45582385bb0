"""A stranger's URL is called where its name leads at that moment, and nowhere that is not public."""

import asyncio
import socket
import threading

import pytest

from acestep_serverless.errors import PeerError, PeerUnreachable
from acestep_serverless.outbound.caller import Caller, resolve_with_the_system


@pytest.fixture
async def listener():
    """A server that notes what it gets and answers what `answer` says."""

    class Listener:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        silent = False

        def __init__(self):
            self.heard: list[bytes] = []

        async def serve(self, reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            self.heard.append(head + await reader.readexactly(length))
            if self.silent:
                await reader.read()
            writer.write(self.answer)
            await writer.drain()
            writer.close()

    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    listener.port = server.sockets[0].getsockname()[1]
    yield listener
    server.close()


def leading_to(*addresses):
    answers = list(addresses)

    async def resolve(host, port):
        return [answers.pop(0)] if len(answers) > 1 else [answers[0]]

    return resolve


async def test_a_post_arrives_with_its_body_headers_and_the_urls_own_host(listener):
    caller = Caller(allow_private=True, resolve=leading_to("127.0.0.1"))
    url = f"http://hooks.example:{listener.port}/a?b=c"
    assert await caller.post(url, b'{"id": 1}', {"Content-Type": "application/json"}) == 200
    (heard,) = listener.heard
    assert heard.startswith(b"POST /a?b=c HTTP/1.1\r\n")
    assert f"host: hooks.example:{listener.port}".encode() in heard.lower()
    assert heard.endswith(b'\r\n\r\n{"id": 1}')


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
async def test_this_machine_is_refused_by_every_name_and_never_connected_to(listener, host):
    with pytest.raises(PeerError, match="public internet"):
        await Caller().post(f"http://{host}:{listener.port}/", b"", {})
    assert listener.heard == []


async def test_a_name_that_turns_private_between_two_calls_gains_nothing(listener):
    """DNS rebinding: what was checked is what is connected to, each time anew."""
    caller = Caller(resolve=leading_to("127.0.0.1", "93.184.216.34"))
    with pytest.raises(PeerError, match="public internet"):
        await caller.post(f"http://rebinding.example:{listener.port}/", b"", {})
    assert listener.heard == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse(listener):
    async def resolve(host, port):
        return ["93.184.216.34", "127.0.0.1"]

    with pytest.raises(PeerError, match="public internet"):
        await Caller(resolve=resolve).post(f"http://mixed.example:{listener.port}/", b"", {})


async def test_a_redirect_is_an_answer_and_not_followed(listener):
    listener.answer = (
        f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{listener.port}/x\r\nContent-Length: 0\r\n\r\n".encode()
    )
    caller = Caller(allow_private=True)
    assert await caller.post(f"http://127.0.0.1:{listener.port}/", b"", {}) == 302
    assert len(listener.heard) == 1


async def test_a_server_that_says_nothing_is_left_after_the_timeout(listener):
    listener.silent = True
    with pytest.raises(PeerUnreachable, match=r"within 0\.2 s"):
        await Caller(allow_private=True, timeout=0.2).post(f"http://127.0.0.1:{listener.port}/", b"", {})


async def test_nobody_there_and_an_unknown_name_are_said(listener):
    port = listener.port
    with pytest.raises(PeerUnreachable, match="not known"):
        await Caller().post("http://no-such-name.invalid/", b"", {})
    listener.answer = b"nonsense\r\n\r\n"
    with pytest.raises(PeerUnreachable, match="no connection"):
        await Caller(allow_private=True).post(f"http://127.0.0.1:{port}/", b"", {})


@pytest.mark.parametrize(
    "url", ["http://h:99999/", "http://h:abc/", "http://[::1/", "http://\u2603.x/", "ftp://h/", "nonsense"]
)
async def test_a_url_that_nobody_can_call_is_said_to_be_one(url):
    with pytest.raises(PeerError):
        await Caller(allow_private=True, resolve=leading_to("127.0.0.1"), timeout=1).post(url, b"", {})


async def test_names_whose_server_is_silent_hold_up_no_other(monkeypatch):
    ask, let_go = socket.getaddrinfo, threading.Event()

    def sometimes_silent(host, *args, **kwargs):
        assert host == "localhost" or let_go.wait(60)
        return ask("localhost", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", sometimes_silent)
    silent = [asyncio.create_task(resolve_with_the_system(f"{n}.slow.example", 443)) for n in range(64)]
    try:
        assert "127.0.0.1" in await asyncio.wait_for(resolve_with_the_system("localhost", 443), 30)
        assert not any(task.done() for task in silent)
    finally:
        let_go.set()
    assert all(await asyncio.gather(*silent))
