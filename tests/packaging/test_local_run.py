"""Does the image's command work where there is no platform? The SDK takes `test_input.json` and makes its song."""

import shutil
import subprocess
import sys
from pathlib import Path

from packaging_parts import ROOT


def test_the_handler_makes_the_song_of_test_input_json(tmp_path: Path) -> None:
    """In a folder with the two files of the image's /app and with nothing of this machine's environment.

    `--test_input` is in README.md and run by tests/docs/test_readme.py.
    """
    for name in ("handler.py", "test_input.json"):
        shutil.copy(ROOT / name, tmp_path)
    done = subprocess.run(
        [sys.executable, "-u", tmp_path / "handler.py"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "ACESTEP_SERVERLESS_ENGINE": "sketch"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "Using test_input.json as job input" in done.stdout
    assert "completed successfully" in done.stdout
    assert "'engine': 'sketch'" in done.stdout
    assert "'seed': 7" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["handler.py", "test_input.json"]
