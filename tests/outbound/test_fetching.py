"""A stranger's file is fetched where its URL really leads, hop by hop, and never beyond the bounds."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from file_server import FileServer, answer, contexts, file_server, redirect

from acestep_serverless.errors import AcestepServerlessError, PeerError, PeerUnreachable, TooLarge
from acestep_serverless.outbound.fetching import Fetched, Fetcher

SOUND = bytes(range(256)) * 300


@pytest.fixture
async def files() -> AsyncIterator[FileServer]:
    async with file_server() as server:
        yield server


async def fetched(url: str, fetcher: Fetcher | None = None) -> tuple[bytes, Fetched]:
    body = bytearray()
    got = await (fetcher or Fetcher(allow_private=True)).fetch(url, body.extend)
    return bytes(body), got


async def refused(url: str, fetcher: Fetcher | None = None) -> str:
    with pytest.raises(AcestepServerlessError) as caught:
        await fetched(url, fetcher)
    return str(caught.value)


async def test_a_file_comes_whole_and_nothing_of_ours_is_sent_along(files: FileServer, monkeypatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    files.answers["/a.wav?x=1"] = answer(SOUND, Content_Type="Audio/WAV; rate=48000")
    body, got = await fetched(f"http://127.0.0.1:{files.port}/a.wav?x=1")
    assert (body, got) == (SOUND, Fetched(len(SOUND), "audio/wav"))
    (head,) = files.heard
    sent = sorted(line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line)
    assert sent == [b"accept", b"accept-encoding", b"connection", b"host"]


async def test_a_file_without_a_length_comes_until_the_connection_ends(files: FileServer) -> None:
    files.answers["/a"] = answer(SOUND, Content_Length="", Connection="close")
    assert (await fetched(f"http://127.0.0.1:{files.port}/a"))[0] == SOUND


@pytest.mark.parametrize("place", ["/b", "b", "//127.0.0.1:{port}/b", "http://127.0.0.1:{port}/b"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_followed(files: FileServer, place: str, status: str) -> None:
    files.answers |= {"/a": redirect(place.format(port=files.port), status), "/b": answer(SOUND)}
    assert (await fetched(f"http://127.0.0.1:{files.port}/a"))[0] == SOUND


async def test_three_redirects_are_followed_and_a_fourth_is_not(files: FileServer) -> None:
    base = f"http://127.0.0.1:{files.port}"
    files.answers |= {f"/{hop}": redirect(f"/{hop + 1}") for hop in range(4)} | {"/4": answer(SOUND)}
    assert (await fetched(f"{base}/1"))[0] == SOUND
    assert "more than 3 times" in await refused(f"{base}/0")


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "http://[::1/", "data:,x"]
)
async def test_a_redirect_to_what_is_no_web_address_is_refused(files: FileServer, place: str) -> None:
    files.answers["/a"] = redirect(place)
    assert await refused(f"http://127.0.0.1:{files.port}/a")
    assert len(files.heard) == 1


async def test_a_redirect_that_carries_a_password_is_refused(files: FileServer) -> None:
    files.answers |= {"/a": redirect(f"http://me:secret@127.0.0.1:{files.port}/b"), "/b": answer(SOUND)}
    assert "no password" in await refused(f"http://127.0.0.1:{files.port}/a")
    assert len(files.heard) == 1


def only_loopback(address: str) -> bool:
    """Stands for the public internet, of which no test has any."""
    return address == "127.0.0.1"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254", "[::ffff:127.0.0.1]"]
)
async def test_this_machine_and_its_network_are_never_connected_to(files: FileServer, host: str) -> None:
    assert "public internet" in await refused(f"https://{host}:{files.port}/a", Fetcher())
    assert files.heard == []


async def test_plain_http_is_refused_before_anything_is_resolved(files: FileServer) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise AssertionError("asked for the address")

    assert "https://" in await refused(f"http://public.example:{files.port}/a", Fetcher(resolve=resolve))


async def test_every_hop_is_resolved_and_checked_anew(tmp_path: Path) -> None:
    """The second hop has the name of the first, which leads elsewhere a moment later (DNS rebinding)."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    server, client = contexts(tmp_path)
    async with file_server(server) as files:
        files.answers["/a"] = redirect("/b")
        fetcher = Fetcher(resolve=resolve, public=only_loopback, context=client)
        assert "public internet" in await refused(f"https://127.0.0.1:{files.port}/a", fetcher)
        assert asked == ["127.0.0.1", "127.0.0.1"]
        assert len(files.heard) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused_and_a_known_one_is_not(tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    async with file_server(server) as files:
        files.answers["/a"] = answer(SOUND)
        url = f"https://127.0.0.1:{files.port}/a"
        assert "certificate was refused" in await refused(url)
        assert files.heard == []
        assert (await fetched(url, Fetcher(allow_private=True, context=client)))[0] == SOUND


async def test_https_is_not_led_back_to_http(tmp_path: Path) -> None:
    server, client = contexts(tmp_path)
    async with file_server(server) as secure, file_server() as plain:
        secure.answers["/a"] = redirect(f"http://127.0.0.1:{plain.port}/b")
        fetcher = Fetcher(public=only_loopback, context=client)
        assert "must begin with https://" in await refused(f"https://127.0.0.1:{secure.port}/a", fetcher)
        assert plain.heard == []


async def test_a_file_over_the_limit_is_refused_when_announced_or_when_it_comes(files: FileServer) -> None:
    at_limit = Fetcher(allow_private=True, limit=len(SOUND))
    below = Fetcher(allow_private=True, limit=len(SOUND) - 1)
    files.answers |= {"/told": answer(SOUND), "/untold": answer(SOUND, Content_Length="", Connection="close")}
    for path in ("/told", "/untold"):
        url = f"http://127.0.0.1:{files.port}{path}"
        assert (await fetched(url, at_limit))[1].bytes == len(SOUND)
        with pytest.raises(TooLarge, match="76,799"):
            await fetched(url, below)
    files.answers["/lie"] = answer(b"", Content_Length="9" * 30)
    with pytest.raises((TooLarge, PeerError)):
        await fetched(f"http://127.0.0.1:{files.port}/lie", at_limit)


async def test_a_compressed_answer_is_refused_instead_of_unpacked(files: FileServer) -> None:
    files.answers["/a"] = answer(SOUND, Content_Encoding="gzip")
    assert "compressed" in await refused(f"http://127.0.0.1:{files.port}/a")


async def test_a_server_that_falls_silent_is_left_when_the_time_is_over(files: FileServer) -> None:
    silent = files.silent_after["/a"] = asyncio.Event()
    files.answers["/a"] = answer(SOUND, Content_Length=str(2 * len(SOUND)))
    with pytest.raises(PeerUnreachable, match=r"within 0\.3 s"):
        await fetched(f"http://127.0.0.1:{files.port}/a", Fetcher(allow_private=True, seconds=0.3))
    silent.set()


async def test_an_answer_that_breaks_off_is_no_file(files: FileServer) -> None:
    files.answers["/a"] = answer(SOUND, Content_Length=str(len(SOUND) + 1))
    with pytest.raises(PeerUnreachable):
        await fetched(f"http://127.0.0.1:{files.port}/a")


@pytest.mark.parametrize(
    "status", ["404 Not Found", "403 Forbidden", "500 Oops", "204 No Content", "206 Partial", "304 No"]
)
async def test_an_answer_that_is_no_file_is_said_by_its_status(files: FileServer, status: str) -> None:
    files.answers["/a"] = answer(b"" if status[:3] in ("204", "304") else SOUND, status)
    assert status[:3] in await refused(f"http://127.0.0.1:{files.port}/a")


async def test_a_redirect_to_nowhere_is_said(files: FileServer) -> None:
    files.answers["/a"] = answer(b"", "302 Found")
    assert "names no place" in await refused(f"http://127.0.0.1:{files.port}/a")


@pytest.mark.parametrize(
    "url", ["", "nonsense", "https://", "https://h:99999/", "https://[::1/", "https://\udcff/", "//h"]
)
async def test_a_url_that_nobody_can_call_is_said_to_be_one(url: str) -> None:
    with pytest.raises(PeerError):
        await fetched(url)


async def test_nobody_there_and_an_unknown_name_are_said() -> None:
    assert "not known" in await refused("https://no-such-name.invalid/a", Fetcher())
    assert "no connection" in await refused("http://127.0.0.1:9/a")


def test_certificates_are_verified_by_default() -> None:
    """With no context of its own the connection's is the HTTP library's, which must check names and authorities."""
    import httpcore

    context = httpcore.default_ssl_context()
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
