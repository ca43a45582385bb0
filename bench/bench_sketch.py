"""How long does a 90 s song take the sketch engine, stage by stage, and how much of it is encoding?

Run it with `python bench/bench_sketch.py`. Absolute seconds depend on the machine; `total_over_encoding` compares two
figures of one run: 1.0 would mean that making the music costs nothing beside writing the file.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from acestep_serverless.audio.codec import encode
from acestep_serverless.engines.base import GenerationRequest
from acestep_serverless.engines.sketch.band import play
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.soundfont import SoundFont, find_soundfont

CAPTIONS = ("Upbeat electronic instrumental with bright synths", "Cinematic orchestral trailer music", "rock")
SECONDS, RUNS = 90.0, 3


def run(captions: tuple[str, ...] = CAPTIONS, seconds: float = SECONDS, runs: int = RUNS) -> dict[str, float]:
    """Return the median seconds of each stage over `runs` of every caption, the total and its ratio to encoding."""
    font = SoundFont(find_soundfont())
    songs = [_stages(caption, seconds, seed, font) for caption in captions for seed in range(runs)]
    medians = {stage: statistics.median(song[stage] for song in songs) for stage in songs[0]}
    ratio = statistics.median(song["total"] / song["encode"] for song in songs)
    return medians | {"total_over_encoding": ratio}


def _stages(caption: str, seconds: float, seed: int, font: SoundFont) -> dict[str, float]:
    mastering: list[float] = []

    def note_mastering(_fraction: float, stage: str) -> None:
        if stage == "mastering" and not mastering:
            mastering.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        score = compose(GenerationRequest(caption, "", seconds, (seed,)), seed).score
        composed = time.perf_counter()
        clip = play(score, font, note_mastering)
        played = time.perf_counter()
        encoded = _timed(lambda: encode(clip, Path(folder) / "song.mp3", "mp3", {}))
    return {
        "compose": composed - start,
        "render": mastering[0] - composed,
        "master": played - mastering[0],
        "encode": encoded,
        "total": played - start + encoded,
    }


def _timed(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> dict[str, float]:
    """Print the figures and return them."""
    figures = run()
    for name, value in figures.items():
        print(f"{name:20s} {value:7.3f}")
    return figures


if __name__ == "__main__":
    main()
