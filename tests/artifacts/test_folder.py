"""Does a file come in whole or not at all?"""

import asyncio
import hashlib

import pytest

from acestep_serverless.artifacts.folder import ArtifactFolder
from acestep_serverless.errors import TooLarge

NAME = "a" * 40 + ".mp3"


@pytest.fixture
def folder(tmp_path):
    folder = ArtifactFolder(tmp_path / "artifacts", limit_bytes=1000)
    folder.prepare(0.0)
    return folder


def files(folder):
    return sorted(path for path in folder.path(NAME).parent.parent.rglob("*") if path.is_file())


async def pieces(*parts):
    for part in parts:
        yield part


async def test_a_file_is_measured_as_it_comes_and_gets_its_name_whole(folder):
    received = await folder.receive(pieces(b"ab", b"", b"cd"))
    assert (received.bytes, received.sha256) == (4, hashlib.sha256(b"abcd").hexdigest())
    assert not folder.path(NAME).exists()
    folder.keep(received, NAME)
    assert folder.path(NAME).read_bytes() == b"abcd"
    assert files(folder) == [folder.path(NAME)]


async def test_an_empty_file_and_one_of_exactly_the_limit_are_files(folder):
    assert (await folder.receive(pieces())).bytes == 0
    assert (await folder.receive(pieces(b"x" * 1000))).bytes == 1000


@pytest.mark.parametrize("parts", [(b"x" * 1001,), (b"x" * 1000, b"y"), (b"x",) * 1001])
async def test_past_the_limit_nothing_stays(folder, parts):
    with pytest.raises(TooLarge, match="1000 bytes"):
        await folder.receive(pieces(*parts))
    assert files(folder) == []


async def test_an_upload_that_breaks_off_or_is_cancelled_leaves_nothing(folder):
    async def breaking():
        yield b"x"
        raise ConnectionResetError("on purpose")

    with pytest.raises(ConnectionResetError):
        await folder.receive(breaking())

    begun = asyncio.Event()

    async def endless():
        yield b"x"
        begun.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(folder.receive(endless()))
    await begun.wait()
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert files(folder) == []


async def test_a_reader_of_the_old_version_reads_it_to_the_end(folder):
    folder.keep(await folder.receive(pieces(b"old")), NAME)
    with folder.path(NAME).open("rb") as reading:
        folder.keep(await folder.receive(pieces(b"new one")), NAME)
        assert reading.read() == b"old"
    assert folder.path(NAME).read_bytes() == b"new one"


async def test_uploads_at_the_same_time_do_not_mix(folder):
    async def slowly(letter):
        for _ in range(50):
            yield letter
            await asyncio.sleep(0)

    received = await asyncio.gather(*(folder.receive(slowly(bytes([65 + number]))) for number in range(10)))
    for number, one in enumerate(received):
        assert one.path.read_bytes() == bytes([65 + number]) * 50


def test_removing_twice_is_removing_once(folder):
    folder.path(NAME).parent.mkdir()
    folder.path(NAME).write_bytes(b"x")
    folder.remove(NAME)
    folder.remove(NAME)
    assert files(folder) == []


def test_files_in_the_house_are_readable_by_us_alone(folder):
    received = asyncio.run(folder.receive(pieces(b"x")))
    assert received.path.stat().st_mode & 0o077 == 0


def test_what_others_leave_in_the_folder_is_left_alone(folder, tmp_path):
    """A file manager's notes, say: they must not keep the gateway from starting."""
    (folder._root / ".DS_Store").write_bytes(b"x")
    (folder._root / "incoming" / "folder").mkdir()
    folder.prepare(0.0)
    assert folder.names(0.0) == []


async def test_beside_another_process_only_what_has_rested_for_its_patience_is_cleared(tmp_path):
    shared = ArtifactFolder(tmp_path / "shared", limit_bytes=1000, patience=60)
    shared.prepare(0.0)
    half, named = await shared.receive(pieces(b"ab")), await shared.receive(pieces(b"cd"))
    shared.keep(named, NAME)
    written = half.path.stat().st_mtime
    shared.prepare(written + 59)
    assert half.path.exists()
    assert shared.names(written + 59) == []
    shared.prepare(written + 61)
    assert not half.path.exists()
    assert shared.names(written + 61) == [NAME]
