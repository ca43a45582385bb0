"""Does `make bench` still run? Its table, its card, its JSON line, and its load against a real server for a moment."""

import json
import subprocess
import sys

import documents


def _bench(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=documents.ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_every_benchmark_of_the_table_exists() -> None:
    code = "import importlib; from bench.__main__ import BENCHMARKS\n"
    code += "for name in BENCHMARKS: assert importlib.import_module(f'bench.bench_{name}').run\nprint(*BENCHMARKS)"
    done = _bench("-c", code)
    assert done.returncode == 0, done.stderr
    files = {path.stem.removeprefix("bench_") for path in (documents.ROOT / "bench").glob("bench_*.py")}
    assert set(done.stdout.split()) == files


def test_an_unknown_name_is_told_which_there_are() -> None:
    done = _bench("-m", "bench", "gatway")
    assert done.returncode == 2
    assert "gateway" in done.stderr


def test_the_gateways_benchmark_measures_a_real_gateway_for_a_moment() -> None:
    code = (
        "import json\nfrom bench.bench_gateway import gateway, shares\n"
        "from bench.trips import crew_rate, round_trips, sdk_trips\n"
        "with gateway('sqlite', 10) as served:\n"
        "    found = round_trips(served.port, 10) | crew_rate(served.port, 0.1)\n"
        "    found |= sdk_trips(served.port, 1, 0.1) | shares(served.port, 1, 0.1)\n"
        "print(json.dumps(found))"
    )
    done = _bench("-c", code)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"run_share_of_bare", "status_share_of_bare", "jobs_per_second", "runsync_overhead_p99_ms"} <= set(found)
    assert {"runsync_with_sdk_p50_ms", "jobs_per_second_with_sdk"} <= set(found)
    assert all(value > 0 for value in found.values())


def test_the_load_counts_a_servers_answers_and_refuses_errors() -> None:
    code = (
        "import json\nfrom bench.bare import CLIENT_KEY\nfrom bench.bench_gateway import JOB, gateway\n"
        "from bench.load import measure, request\nfrom bench.peer import ENDPOINT_PATH\n"
        "asked = request('POST', f'{ENDPOINT_PATH}/bare', JOB, CLIENT_KEY)\n"
        "with gateway('sqlite', 0) as served:\n"
        "    load = measure(served.port, lambda: asked, seconds=0.2, connections=4, keep=2)\n"
        "    try:\n        measure(served.port, lambda: request('GET', '/nowhere'), seconds=0.2)\n"
        "    except RuntimeError as error:\n        refused = str(error)\n"
        "print(json.dumps([load.answers, len(load.waits_ms), [json.loads(body) for body in load.bodies], refused]))"
    )
    done = _bench("-c", code)
    assert done.returncode == 0, done.stderr
    answers, waits, bodies, refused = json.loads(done.stdout)
    assert answers == waits >= 4
    assert [body["status"] for body in bodies] == ["IN_QUEUE", "IN_QUEUE"]
    assert "404" in refused
