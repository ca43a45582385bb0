"""Which benchmarks are there? `python -m bench [--full] [NAME ...]`: a card for people, then one JSON line
each for machines. `--full` measures what takes many minutes as well."""

import importlib
import json
import sys
import time
from collections.abc import Mapping

BENCHMARKS = {
    "gateway": "jobs submitted and looked at over HTTP, durable, against a bare route without any work",
    "sketch": "songs of the built-in engine, against real time",
}
"""Each NAME is a module `bench.bench_NAME` with `run() -> dict[str, float]`, and `run_full` where there is more to
measure; units stand at the end of its keys."""
FULL = "--full"


def card(name: str, figures: Mapping[str, float], seconds: float) -> str:
    """Lay out a benchmark's figures for people."""
    width = max(map(len, figures), default=0)
    lines = [f"{name}: {BENCHMARKS[name]} ({seconds:.0f} s)"]
    lines += [f"  {key.replace('_', ' '):<{width}}  {value:>12,.4g}" for key, value in figures.items()]
    return "\n".join(lines)


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; 2 for an unknown name."""
    full, names = FULL in names, [name for name in names if name != FULL]
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        began = time.perf_counter()
        module = importlib.import_module(f"bench.bench_{name}")
        measure = getattr(module, "run_full", module.run) if full else module.run
        figures = {key: round(value, 4) for key, value in measure().items()}
        seconds = time.perf_counter() - began
        print(card(name, figures, seconds))
        print(json.dumps({"benchmark": name, "seconds": round(seconds, 1), **figures}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
