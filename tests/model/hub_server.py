"""A small Hugging Face hub on loopback: its two routes that a download uses, over folders on disk."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c0ffee" + "0" * 34


class Hub:
    """Repositories by name, each a folder. `lies` are bytes served instead of a file's own, `cut` files whose first
    answer breaks off in the middle; `asked` are the files that were fetched, with the range."""

    def __init__(self, repositories: Mapping[str, Path]) -> None:
        self.repositories = dict(repositories)
        self.lies: dict[str, bytes] = {}
        self.cut: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.url = ""

    def file(self, repository: str, name: str) -> Path | None:
        found = self.repositories.get(repository, Path("/nowhere")) / name
        return found if found.is_file() else None

    def described(self, repository: str) -> dict[str, object]:
        folder = self.repositories[repository]
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {
            "id": repository,
            "sha": COMMIT,
            "siblings": [self._sibling(path, str(path.relative_to(folder))) for path in files],
        }

    def _sibling(self, path: Path, name: str) -> dict[str, object]:
        content = path.read_bytes()
        described: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git_hash(content)}
        if is_large(name):
            sha = hashlib.sha256(content).hexdigest()
            described["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 130}
        return described


def is_large(name: str) -> bool:
    return name.endswith((".safetensors", ".pt"))


def git_hash(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


class Answers(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if info := re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/revision/.+)?", path):
            known = info[1] in self.hub.repositories
            return self._say(200, json.dumps(self.hub.described(info[1])).encode()) if known else self._nothing()
        resolved = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        file = self.hub.file(resolved[1], resolved[2]) if resolved else None
        return self._file(file, resolved[2]) if resolved and file is not None else self._nothing()

    def _file(self, file: Path, name: str) -> None:
        own = file.read_bytes()
        content = self.hub.lies.get(name, own)
        etag = hashlib.sha256(own).hexdigest() if is_large(name) else git_hash(own)
        headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
        if is_large(name):
            headers |= {"X-Linked-ETag": f'"{etag}"', "X-Linked-Size": str(len(content))}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if self.command == "GET":
            self.hub.asked.append((name, self.headers.get("Range", "")))
        start = int(asked[1]) if asked else 0
        if asked:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self._say(206 if asked else 200, content[start:], headers, cut=name in self.hub.cut)
        if self.command == "GET":
            self.hub.cut.discard(name)

    def _nothing(self) -> None:
        self._say(404, b'{"error": "Repository not found"}', {"X-Error-Code": "RepoNotFound"})

    def _say(self, status: int, body: bytes, headers: Mapping[str, str] | None = None, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if cut:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve a hub on a free port of loopback."""
    handler = type("Handler", (Answers,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
