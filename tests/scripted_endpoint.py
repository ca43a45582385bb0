"""An endpoint that says what a test wants it to say, over real sockets; and both clients behind one set of calls."""

import asyncio
import base64
import hashlib
import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from acestep_serverless.client import AsyncClient, Client

SONG = b"ID3" + bytes(range(256)) * 300
SONG_SHA256 = hashlib.sha256(SONG).hexdigest()
JOB_ID = "425ed861-ac15-48f1-bf77-655be5483b6a-u1"


@dataclass
class Answer:
    """One answer: a JSON value or bytes; `hang_up` closes the connection after so many bytes of it."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    hang_up: int | None = None
    length: int | None = None

    @property
    def content(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Making = Callable[[Asked], Answer]
"""An answer that depends on what was asked."""


class ScriptedEndpoint:
    """Answers "POST /v2/ace-step/run" and the like (without the query) with its list of answers in turn, the last one
    again and again; what has no list is 404."""

    def __init__(self) -> None:
        self.answers: defaultdict[str, deque[Answer | Making]] = defaultdict(deque)
        self.asked: list[Asked] = []
        self._lock = threading.Lock()
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                endpoint._say(self, Asked(self.command, self.path, headers, body))

            do_GET = do_POST = _handle  # noqa: N815 - the names that http.server looks for

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                """A client that went away is nothing to print."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(30)
        self._server.server_close()

    def says(self, what: str, *answers: Answer | Making | dict[str, Any]) -> None:
        """Say what an operation answers: "POST run", "GET status/ID", or a path that begins with a slash."""
        method, _, path = what.partition(" ")
        place = path if path.startswith("/") else f"/v2/ace-step/{path}"
        self.answers[f"{method} {place}"] = deque(
            Answer(answer) if isinstance(answer, dict) else answer for answer in answers
        )

    def times(self, what: str) -> int:
        """How often an operation was asked for."""
        method, _, path = what.partition(" ")
        wanted = path if path.startswith("/") else f"/v2/ace-step/{path}"
        return sum(1 for asked in self.asked if asked.method == method and urlsplit(asked.path).path == wanted)

    def _say(self, handler: BaseHTTPRequestHandler, asked: Asked) -> None:
        with self._lock:
            self.asked.append(asked)
            listed = self.answers.get(f"{asked.method} {urlsplit(asked.path).path}")
            answer = (listed.popleft() if len(listed) > 1 else listed[0]) if listed else Answer({"error": "no"}, 404)
        answer = answer if isinstance(answer, Answer) else answer(asked)
        content = answer.content
        head = [f"HTTP/1.1 {answer.status} Said", f"Content-Length: {answer.length or len(content)}"]
        head += [f"{name}: {value}" for name, value in {"Content-Type": "application/json", **answer.headers}.items()]
        whole = "\r\n".join([*head, "", ""]).encode() + content
        handler.wfile.write(whole if answer.hang_up is None else whole[: answer.hang_up])
        handler.close_connection = answer.hang_up is not None or answer.length is not None


class Blocking:
    """`Client` with `follow` as a list."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self.client = Client(*words, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def follow(self, *words: Any, **named: Any) -> list[Any]:
        return list(self.client.follow(*words, **named))


class Awaited:
    """`AsyncClient`, every call of which is waited for, in one event loop."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self._runner = asyncio.Runner()
        self.client = self._runner.run(self._made(*words, **named))

    async def _made(self, *words: Any, **named: Any) -> AsyncClient:
        return AsyncClient(*words, **named)

    def __getattr__(self, name: str) -> Any:
        return lambda *words, **named: self._runner.run(getattr(self.client, name)(*words, **named))

    def follow(self, *words: Any, **named: Any) -> list[Any]:
        async def collect() -> list[Any]:
            return [job async for job in self.client.follow(*words, **named)]

        return self._runner.run(collect())

    def close(self) -> None:
        self._runner.run(self.client.close())
        self._runner.close()


def completed(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A status object with an output of these results."""
    output = {"task_id": "t", "status": "completed", "duration": 3, "batch_size": len(results), "results": [*results]}
    return {"id": JOB_ID, "status": "COMPLETED", "workerId": "w1", "output": output | more}


def song(**changes: Any) -> dict[str, Any]:
    """A result as this project's handler describes a song that its gateway keeps."""
    file = "/v1/audio?filename=03bd.mp3"
    about = {"seed": 7, "seconds": 3.0, "engine": "sketch", "content_type": "audio/mpeg"}
    return {"file": file, "url": file, **about, "bytes": len(SONG), "sha256": SONG_SHA256} | changes


def inline(index: int = 0) -> dict[str, Any]:
    """An `audio` entry that carries the song."""
    return {"index": index, "content_type": "audio/mpeg", "base64": base64.b64encode(SONG).decode()}
