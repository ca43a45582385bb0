"""How does a score sound? The band plays it stretch by stretch: parts side by side, one room, one bus, one master.

Only the finished mix exists in full length, so memory grows by 0.4 MB per second of song; every stretch takes a few
hundredths of a second, so a cancel is noticed at once. Sums run in the order of the score's parts, whatever thread was
first: the same score gives the same samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from pedalboard._pedalboard import Pedalboard

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.audio.mastering import master_in_place
from acestep_serverless.audio.together import Stop, never, together
from acestep_serverless.engines.sketch.effects import (
    Channel,
    bus_effects,
    channel_of,
    ducking_curve,
    insert_effects,
    pan_gains,
    room,
)
from acestep_serverless.engines.sketch.instruments import instrument_for
from acestep_serverless.engines.sketch.player import Player
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.soundfont import SoundFont
from acestep_serverless.engines.sketch.synth import KICKS
from acestep_serverless.engines.sketch.tone import Floats

STRETCH_SECONDS = 4
FADE_SECONDS, SILENT_SECONDS = 0.3, 0.01
# Shares of the band's time, measured on a 90 s house song: tones, playing and mixing, mastering.
PREPARED, PLAYED = 0.3, 0.8

Progress = Callable[[float, str], None]


@dataclass(slots=True)
class _Seat:
    """A player with their strip on the desk."""

    part: Part
    player: Player
    strip: Channel
    effects: Pedalboard
    gains: Floats

    def play(self, first: int, last: int, ducking: Floats | None, stop: Stop) -> Floats:
        """Return the part's stereo stretch as it goes to the mix."""
        sound = self.player.play(first, last, stop)
        if self.strip.mono:
            sound = np.repeat(sound.mean(axis=0, keepdims=True), 2, axis=0)
        stop()
        sound = np.asarray(self.effects(sound, SAMPLE_RATE, reset=False), dtype=np.float32)
        if ducking is not None and self.strip.ducking:
            sound = sound * (1 - np.float32(self.strip.ducking) * (1 - ducking))
        return sound * self.gains


def play(score: Score, font: SoundFont, progress: Progress, cancelled: Callable[[], bool] = never) -> Clip:
    """Return the mastered song: stereo, 48 kHz, exactly `round(score.seconds * 48000)` samples, silent at the end.

    `progress` gets fractions from 0.0 to 1.0. Raises GenerationCancelled.
    """
    seats = [_seat(part, score, font) for part in score.parts]
    progress(0.0, "tuning the instruments")
    together([seat.player.prepare for seat in seats], cancelled)
    mix = _mix(score, seats, progress, cancelled)
    progress(PLAYED, "mastering")
    _end(mix)
    master_in_place(mix, SAMPLE_RATE, cancelled=cancelled)
    progress(1.0, "mastering")
    return Clip(mix)


def _seat(part: Part, score: Score, font: SoundFont) -> _Seat:
    strip = channel_of(part)
    return _Seat(
        part=part,
        player=Player(part, score.tempo, instrument_for(part, font)),
        strip=strip,
        effects=insert_effects(part, score),
        gains=pan_gains(0 if strip.mono else part.pan) * np.float32(10 ** ((part.gain + strip.level) / 20)),
    )


def _mix(score: Score, seats: list[_Seat], progress: Progress, cancelled: Callable[[], bool]) -> Floats:
    """Play the whole song into one buffer, stretch by stretch."""
    count = round(score.seconds * SAMPLE_RATE)
    mix = np.zeros((2, count), dtype=np.float32)
    hall, bus = room(score), bus_effects()
    kicks = _kicks(score)
    for first in range(0, count, STRETCH_SECONDS * SAMPLE_RATE):
        last = min(count, first + STRETCH_SECONDS * SAMPLE_RATE)
        progress(PREPARED + (PLAYED - PREPARED) * first / count, f"playing the {_section(score, first)}")
        ducking = None
        if score.sidechain > 0 and kicks.size:
            ducking = ducking_curve(kicks, first, last - first, score.sidechain, SAMPLE_RATE * 60 / score.tempo)
        played = together([partial(seat.play, first, last, ducking) for seat in seats], cancelled)
        dry, sent = np.zeros((2, last - first), np.float32), np.zeros((2, last - first), np.float32)
        for seat, sound in zip(seats, played, strict=True):
            dry += sound
            sent += sound * np.float32(seat.part.reverb)
        dry += hall(sent, SAMPLE_RATE, reset=False)
        mix[:, first:last] = bus(dry, SAMPLE_RATE, reset=False)
    return mix


def _kicks(score: Score) -> Floats:
    """Return the kicks' sample positions in order."""
    beat = SAMPLE_RATE * 60 / score.tempo
    starts = [
        note.start * beat for part in score.parts if part.role == "drums" for note in part.notes if note.pitch in KICKS
    ]
    return np.sort(np.array(starts, dtype=np.float32))


def _section(score: Score, sample: int) -> str:
    beat = sample / SAMPLE_RATE * score.tempo / 60
    names = [section.name for section in score.sections if section.start <= beat + 1e-6]
    return names[-1] if names else "song"


def _end(mix: Floats) -> None:
    """Fade the last 0.3 s, or a tenth of a shorter song, to silence: an ending, never a cut."""
    silent = min(mix.shape[1], int(SILENT_SECONDS * SAMPLE_RATE))
    fade = min(int(FADE_SECONDS * SAMPLE_RATE), mix.shape[1] // 10)
    body = mix.shape[1] - silent
    mix[:, body:] = 0
    mix[:, max(0, body - fade) : body] *= np.cos(np.linspace(0, np.pi / 2, min(fade, body), dtype=np.float32)) ** 2
