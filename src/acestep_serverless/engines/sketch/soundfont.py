"""What is inside a SoundFont? Which recorded samples, tuned and shaped how, sound for a program, a key and a velocity.

Reads the SoundFont 2.01 format (RIFF "sfbk"); section numbers below are those of its specification. Why not symusic's
synthesiser: version 0.5.9 ignores velocities and envelope decays (measured: velocity 1 and 127 are equally loud, a
plucked string never fades) and does not return for some scores.
"""

import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acestep_serverless.errors import EngineUnavailable

PACKAGE, FILE = "pretty_midi", "TimGM6mb.sf2"
DRUM_BANK = 128

# Generator numbers, section 8.1.2.
PAN, INSTRUMENT, KEY_RANGE, VELOCITY_RANGE, SAMPLE = 17, 41, 43, 44, 53
ATTENUATION, COARSE_TUNE, FINE_TUNE, SAMPLE_MODES, SCALE_TUNING = 48, 51, 52, 54, 56
EXCLUSIVE_CLASS, ROOT_KEY, FILTER_CUTOFF = 57, 58, 8
DELAY, ATTACK, HOLD, DECAY, SUSTAIN, RELEASE, KEY_TO_HOLD, KEY_TO_DECAY = 33, 34, 35, 36, 37, 38, 39, 40
# Sample addresses: (fine, coarse) generators; coarse ones count 32,768 samples.
START, END, LOOP_START, LOOP_END = (0, 4), (1, 12), (2, 45), (3, 50)
# Defaults of section 8.1.3 for generators that do not start at 0; times are timecents (-12,000 is 1 ms).
DEFAULTS = dict.fromkeys((DELAY, ATTACK, HOLD, DECAY, RELEASE), -12_000) | {
    FILTER_CUTOFF: 13_500,
    SCALE_TUNING: 100,
    ROOT_KEY: -1,
}
# What a preset may not add to its instruments (section 8.5).
INSTRUMENT_ONLY = frozenset({SAMPLE_MODES, ROOT_KEY, EXCLUSIVE_CLASS, *START, *END, *LOOP_START, *LOOP_END})

_NAME = "S20"
_PRESET = np.dtype([("name", _NAME), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("_", "V12")])
_INSTRUMENT = np.dtype([("name", _NAME), ("bag", "<u2")])
_BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
_GENERATOR = np.dtype([("operator", "<u2"), ("amount", "<i2")])
_SAMPLE = np.dtype(
    [
        ("name", _NAME),
        *((field, "<u4") for field in ("start", "end", "loop_start", "loop_end", "rate")),
        ("key", "u1"),
        ("correction", "i1"),
        ("link", "<u2"),
        ("type", "<u2"),
    ]
)
_TABLES = {
    b"phdr": _PRESET,
    b"pbag": _BAG,
    b"pgen": _GENERATOR,
    b"inst": _INSTRUMENT,
    b"ibag": _BAG,
    b"igen": _GENERATOR,
}

Generators = dict[int, int]


@dataclass(frozen=True, slots=True)
class Zone:
    """One recording with its settings: `generators` by number, instrument and preset summed, defaults included.

    `start`, `end`, `loop_start` and `loop_end` count samples from the start of the sound data; `rate` is in Hz;
    `keys` and `velocities` are inclusive ranges; `correction` is in cents.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    generators: Generators
    start: int
    end: int
    loop_start: int
    loop_end: int
    rate: int
    root: int
    correction: int

    def sounds(self, key: int, velocity: int) -> bool:
        """Say whether this zone takes part in a note."""
        return self.keys[0] <= key <= self.keys[1] and self.velocities[0] <= velocity <= self.velocities[1]


def find_soundfont() -> Path:
    """Return the sound bank inside the installed pretty_midi package, without importing it (that takes 0.5 s).

    Raises EngineUnavailable naming the command that mends it.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None or not (path := Path(package.origin).parent / FILE).is_file():
        raise EngineUnavailable(f"the sketch engine needs the sound bank {FILE}: pip install {PACKAGE}")
    return path


class SoundFont:
    """A SoundFont in memory. Raises EngineUnavailable when `path` is no SoundFont 2."""

    def __init__(self, path: Path) -> None:
        chunks = _chunks(path)
        self.data: NDArray[np.int16] = np.frombuffer(chunks[b"smpl"], "<i2")
        self._tables = {name: np.frombuffer(chunks[name], layout) for name, layout in _TABLES.items()}
        self._samples = np.frombuffer(chunks[b"shdr"], _SAMPLE)
        self._zones: dict[tuple[int, int], tuple[Zone, ...]] = {}

    @cached_property
    def presets(self) -> dict[tuple[int, int], int]:
        """Row of the preset table by (bank, program)."""
        table = self._tables[b"phdr"][:-1]
        return {(int(row["bank"]), int(row["preset"])): index for index, row in enumerate(table)}

    def zones(self, bank: int, program: int) -> tuple[Zone, ...]:
        """Return the zones of a preset; an unknown drum kit or program falls back to number 0 of its bank."""
        known = (bank, program) if (bank, program) in self.presets else (bank, 0)
        if known not in self._zones:
            self._zones[known] = tuple(self._preset_zones(self.presets[known]))
        return self._zones[known]

    def _preset_zones(self, row: int) -> list[Zone]:
        found = []
        for preset in self._bags(b"phdr", b"pbag", b"pgen", row, INSTRUMENT):
            for instrument in self._bags(b"inst", b"ibag", b"igen", preset[INSTRUMENT], SAMPLE):
                zone = self._zone(preset, instrument)
                if zone.keys[0] <= zone.keys[1] and zone.velocities[0] <= zone.velocities[1]:
                    found.append(zone)
        return found

    def _bags(self, heads: bytes, bags: bytes, generators: bytes, row: int, last: int) -> list[Generators]:
        """Return the generators of every zone of one row, the row's global zone merged in (section 7.3, 7.7)."""
        head, bag, table = (self._tables[name] for name in (heads, bags, generators))
        common: Generators = {}
        zones: list[Generators] = []
        for index in range(int(head[row]["bag"]), int(head[row + 1]["bag"])):
            rows = table[int(bag[index]["generator"]) : int(bag[index + 1]["generator"])]
            values = dict(zip(rows["operator"].tolist(), rows["amount"].tolist(), strict=True))
            if last in values:
                zones.append(common | values)
            elif not zones:
                common = values
        return zones

    def _zone(self, preset: Generators, instrument: Generators) -> Zone:
        sample = self._samples[instrument[SAMPLE]]
        merged = DEFAULTS | instrument
        for number, amount in preset.items():
            if number not in INSTRUMENT_ONLY and number not in (INSTRUMENT, KEY_RANGE, VELOCITY_RANGE):
                merged[number] = merged.get(number, 0) + amount

        def address(field: str, generators: tuple[int, int]) -> int:
            fine, coarse = generators
            return int(sample[field]) + instrument.get(fine, 0) + 32_768 * instrument.get(coarse, 0)

        return Zone(
            keys=_overlap(preset, instrument, KEY_RANGE),
            velocities=_overlap(preset, instrument, VELOCITY_RANGE),
            generators=merged,
            start=address("start", START),
            end=address("end", END),
            loop_start=address("loop_start", LOOP_START),
            loop_end=address("loop_end", LOOP_END),
            rate=int(sample["rate"]),
            root=merged[ROOT_KEY] if merged[ROOT_KEY] >= 0 else int(sample["key"]),
            correction=int(sample["correction"]),
        )


def _overlap(preset: Generators, instrument: Generators, number: int) -> tuple[int, int]:
    """Return the range that both levels allow: low byte to high byte."""
    lows, highs = [], []
    for generators in (preset, instrument):
        amount = generators.get(number, 0x7F00)
        lows.append(amount & 0xFF)
        highs.append(amount >> 8 & 0xFF)
    return max(lows), min(highs)


def _chunks(path: Path) -> dict[bytes, memoryview]:
    """Return the bodies of all chunks inside the file's lists, by name."""
    body = memoryview(path.read_bytes())
    if bytes(body[:4]) != b"RIFF" or bytes(body[8:12]) != b"sfbk":
        raise EngineUnavailable(f"{path.name} is not a SoundFont 2 file: pip install --force-reinstall {PACKAGE}")
    found: dict[bytes, memoryview] = {}
    pending = [(12, len(body))]
    while pending:
        position, end = pending.pop()
        while position + 8 <= end:
            name, size = (
                bytes(body[position : position + 4]),
                int.from_bytes(body[position + 4 : position + 8], "little"),
            )
            if name == b"LIST":
                pending.append((position + 12, position + 8 + size))
            else:
                found[name] = body[position + 8 : position + 8 + size]
            position += 8 + size + size % 2
    return found
