"""The official Python client, unmodified, in a process of its own: only its base URL is ours."""

import json
import subprocess
import sys
from pathlib import Path

from house import House


def test_every_operation_of_the_official_python_client_works(tmp_path: Path):
    house = House(tmp_path / "data", "--engine", "sketch", api_keys="client-key")
    try:
        environ = {**house.environ, "RUNPOD_ENDPOINT_BASE_URL": f"{house.url}/v2", "HOME": str(tmp_path)}
        script = Path(__file__).with_name("official_client.py")
        done = subprocess.run(
            [sys.executable, str(script), "client-key"], env=environ, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
    finally:
        house.close()
    assert seen["run_sync"]["status"] == "completed"
    assert seen["status"] in ("IN_QUEUE", "IN_PROGRESS")
    assert seen["output"]["results"][0]["file"].startswith("/v1/audio?filename=")
    assert seen["final"] == "COMPLETED"
    assert seen["purge"] == {"removed": 2, "status": "completed"}
    assert seen["purged"] == ["CANCELLED", "CANCELLED"]
    assert seen["cancel"]["status"] == "CANCELLED"
    assert seen["cancelled"] == "CANCELLED"
    assert seen["failed"] == "FAILED"
    assert set(seen["before"]["jobs"]) == {"completed", "failed", "inProgress", "inQueue", "retried"}
    assert seen["after"]["jobs"]["completed"] == 2
    assert seen["after"]["jobs"]["failed"] == 1
