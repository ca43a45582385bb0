"""What does `make song` do? The whole road once: serve on a free port, the guide's first request, the file, and an end.

The wish comes from CAPTION, LYRICS, DURATION and SEED in the environment; what is not set is as in the guide's first
example.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from acestep_serverless.assembly.serve import bind
from acestep_serverless.contract.media import SIDE_FILES
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.settings import Settings

GUIDE_FIRST_EXAMPLE = {
    "caption": "Upbeat electronic instrumental with bright synths",
    "lyrics": "",
    "duration": 30,
    "batch_size": 1,
}
START_LIMIT, SONG_LIMIT = 30.0, 1_800.0
OUT = Console(highlight=False, soft_wrap=True)


def wish_from(environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the wish. A number that is none is passed on as text: the endpoint's own error explains it best."""
    wish: dict[str, Any] = dict(GUIDE_FIRST_EXAMPLE)
    for variable in ("CAPTION", "LYRICS", "DURATION", "SEED"):
        text = environ.get(variable, "")
        if text:
            is_number = variable in ("DURATION", "SEED") and text.isdecimal() and len(text) < 20
            wish[variable.lower()] = int(text) if is_number else text
    return wish


@contextmanager
def endpoint(settings: Settings, data_dir: str) -> Iterator[str]:
    """Run `serve` on a free loopback port and give its URL; everything it started is over at the end."""
    probe = bind("127.0.0.1", 0)
    port = probe.getsockname()[1]
    probe.close()
    program = [sys.executable, "-m", "acestep_serverless", "serve", "--port", str(port), "--data-dir", data_dir]
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*program, "--engine", settings.engine], stdout=log, stderr=log, env={**os.environ, "NO_COLOR": "1"}
        )
        try:
            if not _is_up(f"http://127.0.0.1:{port}", process):
                log.seek(0)
                sys.stderr.write(log.read().decode(errors="replace")[-4000:])
                raise AcestepServerlessError("the endpoint did not start; its last words are above")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def _is_up(url: str, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(f"{url}/openapi.json", timeout=1.0, trust_env=False)
        except httpx.HTTPError:
            time.sleep(0.05)
        else:
            return True
    return False


def authorization(settings: Settings) -> dict[str, str]:
    """Give the header with a key that opens the endpoint of these settings; empty when there is none."""
    keys = sorted(settings.keys_by_endpoint()[settings.endpoint_id])
    return {"Authorization": f"Bearer {keys[0]}"} if keys else {}


def order(url: str, settings: Settings, wish: Mapping[str, Any], folder: Path) -> tuple[list[Path], dict[str, Any]]:
    """Send the guide's request, wait for the song and save it, and what lies beside it; gives the paths, the song's
    first, and the job's status object."""
    with httpx.Client(base_url=url, headers=authorization(settings), timeout=SONG_LIMIT, trust_env=False) as http:
        answer = http.post(f"/v2/{settings.endpoint_id}/runsync", json={"input": wish})
        job = answer.json()
        if job.get("status") != "COMPLETED":
            raise AcestepServerlessError(str(job.get("error", job)))
        song = job["output"]["results"][0]
        files = [song["file"], *(song[kind]["file"] for kind in SIDE_FILES if kind in song)]
        answers = [http.get(file).raise_for_status() for file in files]
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"song-{job['id'].removeprefix('sync-')[:8]}{Path(file).suffix}" for file in files]
    for path, answer in zip(paths, answers, strict=True):
        path.write_bytes(answer.content)
    return paths, job


def tell(path: Path, job: Mapping[str, Any], seconds: Mapping[str, float], beside: Sequence[Path] = ()) -> None:
    """Print what the song is, where the time went, and what lies beside it."""
    song = job["output"]["results"][0]
    metas = song.get("metas") or {}
    units = (("bpm", " bpm"), ("keyscale", ""))
    known = [f"{metas[name]}{unit}" for name, unit in units if metas.get(name) not in (None, "", "N/A")]
    details = ", ".join([*known, f"seed {song.get('seed')}"])
    OUT.print(f"  song      {path}", markup=False)
    OUT.print(f"  duration  {song.get('seconds') or job['output']['duration']} s  ({details})")
    OUT.print(f"  engine    {song.get('engine')}")
    OUT.print(
        f"  timings   endpoint up {seconds['up']:.1f} s, waited for the worker {job['delayTime'] / 1000:.1f} s, "
        f"song made in {job['executionTime'] / 1000:.1f} s, all in all {seconds['all']:.1f} s"
    )
    if beside:
        OUT.print(f"  beside    {', '.join(map(str, beside))}", markup=False)
    for warning in job["output"].get("warnings", []):
        OUT.print(f"  note      {warning}", markup=False)


def make_song(environ: Mapping[str, str], folder: Path) -> Path:
    """Make one song over real HTTP and tell about it. Raises AcestepServerlessError with the endpoint's own words."""
    settings, began = Settings.load(), time.monotonic()
    wish = wish_from(environ)
    with tempfile.TemporaryDirectory(prefix="acestep-serverless-song-") as data_dir:
        OUT.print(f"'{wish['caption']}', {wish['duration']} s", markup=False)
        with endpoint(settings, data_dir) as url, OUT.status("the endpoint is up, the band plays ..."):
            up = time.monotonic() - began
            (path, *beside), job = order(url, settings, wish, folder)
        tell(path, job, {"up": up, "all": time.monotonic() - began}, beside)
    return path


if __name__ == "__main__":
    try:
        make_song(os.environ, Path("outputs"))
    except AcestepServerlessError as error:
        sys.exit(f"no song: {error}")
    except KeyboardInterrupt:
        sys.exit("no song: interrupted")
