"""A client of the ACE-Step API as a command line tool, with nothing but the standard library.

usage: song.py BASE_URL FOLDER plain|plugin [NAME=JSON ...]
`plain` sends integers and no key, and trusts `data.status`, `code` and `file`; `plugin` sets its seed, asks for WAV,
reads `url` before `file`, and the root `error` of a refusal.
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

PATIENCE = 60.0


def call(base: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=15) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        answer = json.load(error)
        raise SystemExit(f"error {error.code}: {answer['error']}") from None
    if answer.get("code") != 200:
        raise SystemExit(f"error in the envelope: {answer.get('error')}")
    assert isinstance(answer["data"], dict | list)
    return answer


def address(base: str, item: dict[str, Any]) -> str:
    """`url`, then `file`; a bare path becomes the parameter of the audio route."""
    given = item.get("url") or item.get("file") or ""
    if not given:
        raise SystemExit("error: the task succeeded without a file")
    if given.startswith(("/v1/", "http")):
        return urllib.parse.urljoin(base, given)
    return f"{base}/v1/audio?path={urllib.parse.quote(given, safe='')}"


def followed(base: str, task_id: str) -> list[dict[str, Any]]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        [entry] = call(base, "/query_result", {"task_id_list": [task_id]})["data"]
        items = json.loads(entry["result"])
        assert isinstance(entry["result"], str)
        if entry["status"] == 1:
            return items
        if entry["status"] == 2:
            raise SystemExit(f"error of the task: {items[0]['error']}")
        print(f"{entry['progress_text']}: {items[0]['progress']:.0%} of {items[0]['stage']}", file=sys.stderr)
        time.sleep(0.05)
    raise SystemExit("error: out of patience")


def main(base: str, folder: Path, kind: str, *pairs: str) -> None:
    fields: dict[str, Any] = {"plain": {}, "plugin": {"use_random_seed": False, "seed": 7, "audio_format": "wav"}}[kind]
    fields |= {name: json.loads(value) for name, value in (pair.split("=", 1) for pair in pairs)}
    assert call(base, "/health")["data"]["status"] == "ok"
    task_id = call(base, "/release_task", fields)["data"]["task_id"]
    for number, item in enumerate(followed(base, task_id)):
        with urllib.request.urlopen(address(base, item), timeout=15) as response:
            (folder / f"song-{number}{Path(item['file']).suffix}").write_bytes(response.read())
        print(json.dumps({key: item[key] for key in ("metas", "seed_value", "generation_info", "prompt", "lyrics")}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
