"""How is the music judged? `python -m bench.music [--quick] [--self-check] [--styles a,b]` prints a table and JSON."""

import argparse
import json
import sys
import time

from bench.music.card import card, figures_of
from bench.music.grid import CAPTIONS, cases
from bench.music.judging import Judged, all_judged
from bench.music.reading import SINGERS, Read, read_songs
from bench.music.selfcheck import failures
from bench.music.separating import separation
from bench.music.timing import SONGS, timed

FULL = {"free": 3, "given": 2, "seconds": 40.0}
QUICK = {"free": 1, "given": 1, "seconds": 25.0}
QUICK_STYLES = ("pop", "rock", "house", "trap", "jazz", "bossa nova", "folk", "ambient", "cinematic", "waltz")


def main(words: list[str]) -> int:
    """Judge, print and return 0; 1 when the self-check fails or a goal is missed."""
    asked = _read(words)
    if asked.self_check:
        return _checked()
    began = time.perf_counter()
    labels = tuple(asked.styles.split(",")) if asked.styles else QUICK_STYLES if asked.quick else ()
    if unknown := [label for label in labels if label not in CAPTIONS]:
        print(f"no style {', '.join(unknown)}; there are {', '.join(CAPTIONS)}", file=sys.stderr)
        return 2
    songs = _judge(labels, quick=asked.quick)
    reads = _listen_to_words(quick=asked.quick)
    figures = figures_of(songs, reads, {name: _told(f"timing: {name}", name) for name in SONGS})
    print(card(songs, separation(songs), figures))
    seconds = round(time.perf_counter() - began, 1)
    print(json.dumps({"benchmark": "music", "seconds": seconds, **{figure.key: figure.value for figure in figures}}))
    return 0 if all(figure.reached for figure in figures) else 1


def _read(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.music", description="Judge the sketch engine's songs.")
    parser.add_argument("--quick", action="store_true", help="ten styles, two short songs each: a minute or two")
    parser.add_argument("--self-check", action="store_true", help="judge sounds whose tempo, key and faults are known")
    parser.add_argument("--styles", default="", help="only these, with commas between them")
    return parser.parse_args(words)


def _checked() -> int:
    failed = failures()
    print("\n".join(f"does not hold: {words}" for words in failed) or "the measures measure")
    return 1 if failed else 0


def _judge(labels: tuple[str, ...], *, quick: bool) -> list[Judged]:
    extent = QUICK if quick else FULL
    wanted = list(cases(free=int(extent["free"]), given=int(extent["given"]), seconds=extent["seconds"], labels=labels))
    songs = []
    for song in all_judged(wanted):
        songs.append(song)
        _say(f"songs: {len(songs)} of {len(wanted)}")
    order = {case: number for number, case in enumerate(wanted)}
    return sorted(songs, key=lambda song: order[song.case])


def _listen_to_words(*, quick: bool) -> list[Read]:
    reads = []
    for read in read_songs(SINGERS[:1] if quick else SINGERS, (0,)):
        reads.append(read)
        _say(f"lines read: {len(reads)}")
    return reads


def _told(words: str, name: str) -> dict[str, float]:
    _say(words)
    return timed(name)


def _say(words: str) -> None:
    """Show how far it is, on one line of a terminal and one line each elsewhere."""
    print(f"\r{words:<40}" if sys.stderr.isatty() else words, end="" if sys.stderr.isatty() else "\n", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
