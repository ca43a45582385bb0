"""A gateway with a song, in threads, and a line to it that breaks after as many bytes as a test wants."""

import socket
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import uvicorn

from acestep_serverless.assembly.core import build
from acestep_serverless.settings import Settings

WORKER_KEY = "the-worker-key"
PIECE = 8_192


class SongHouse:
    """The real gateway on loopback, with one finished job whose song is `song`."""

    def __init__(self, data_dir: Path, song: bytes) -> None:
        app = build(Settings.load(data_dir=data_dir, worker_key=WORKER_KEY), first_start=True)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})
        self._thread.start()
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}/v2/ace-step", timeout=60, trust_env=False)
        admitted = {"Authorization": f"Bearer {WORKER_KEY}"}
        enrolled = self._http.post("/workers", json={"worker_id": "w"}, headers=admitted).json()
        self._token = {"token": enrolled["token"]}
        self.job_id = self._http.post("/run", json={"input": {"caption": "x"}}).json()["id"]
        assert self._http.get("/job-take/w", params=self._token).status_code == 200
        self.filed = self.file(song)

    def file(self, song: bytes) -> dict[str, object]:
        """File the song, or another one under its name."""
        answer = self._http.put(f"/artifacts/w/{self.job_id}/0.mp3", params=self._token, content=song)
        filed: dict[str, object] = answer.json()
        return filed

    def finish(self) -> None:
        """End the job with the song as its output."""
        output = {"results": [{**self.filed, "url": self.filed["file"], "content_type": "audio/mpeg"}]}
        self._http.post(f"/job-done/w/{self.job_id}", params=self._token, json={"output": output})

    def close(self) -> None:
        self._http.close()
        self._server.should_exit = True
        self._thread.join(30)
        self._listening.close()


class BreakingLine:
    """A line to a port: each connection is cut after the next of `cuts` bytes of answers, those after them never.
    `on_cut` is called with each cut. Of each request the header `Range` is kept, None where there is none."""

    def __init__(self, port: int, *cuts: int, on_cut: Callable[[], object] = lambda: None) -> None:
        self._port, self._cuts, self._on_cut = port, deque(cuts), on_cut
        self.asked: list[str | None] = []
        self._open: tuple[socket.socket, ...] = ()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            with near:
                first = near.recv(PIECE)
                if not first:
                    return  # `close` has called.
                with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)) as far:
                    self._carry(near, far, first)

    def _carry(self, near: socket.socket, far: socket.socket, request: bytes) -> None:
        """Carry one request after the other, as both clients send them: each when its answer is there."""
        self._open = (near, far)
        left = self._cuts.popleft() if self._cuts else None
        asking = threading.Thread(target=self._ask, args=(near, far, request))
        asking.start()
        while (left is None or left > 0) and (piece := far.recv(PIECE if left is None else min(PIECE, left))):
            near.sendall(piece)
            left = None if left is None else left - len(piece)
        if left is not None:
            self._on_cut()
        self._hang_up()
        asking.join(30)

    def _hang_up(self) -> None:
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _ask(self, near: socket.socket, far: socket.socket, request: bytes) -> None:
        with suppress(OSError):
            while request:
                lines = request.decode("latin-1").split("\r\n")
                self.asked.append(next((line[7:] for line in lines if line.lower().startswith("range: ")), None))
                far.sendall(request)
                request = near.recv(PIECE)
            far.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._hang_up()  # A client keeps its connection for the next request.
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join(30)
        self._listening.close()
