"""How does a score sound? The band plays it stretch by stretch: parts side by side, one room, one bus, one master.

Only the finished mix exists in full length, so memory grows by 0.4 MB per second of song; every stretch takes a few
hundredths of a second, so a cancel is noticed at once. Sums run in the order of the score's parts, whatever thread was
first: the same score gives the same samples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pedalboard._pedalboard import Pedalboard

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.audio.mastering import master_in_place
from acestep_serverless.audio.together import Stop, never, together
from acestep_serverless.engines.sketch.effects import (
    Channel,
    bus_effects,
    channel_of,
    ducking_curve,
    ensemble,
    equaliser,
    insert_effects,
    pan_gains,
    room,
)
from acestep_serverless.engines.sketch.instruments import instrument_for
from acestep_serverless.engines.sketch.kits import KICKS
from acestep_serverless.engines.sketch.memory import give_back
from acestep_serverless.engines.sketch.microphone import Microphone, StepBack, microphone_for
from acestep_serverless.engines.sketch.movement import Movement, movement
from acestep_serverless.engines.sketch.player import Player
from acestep_serverless.engines.sketch.score import Part, Score
from acestep_serverless.engines.sketch.soundfont import SoundFont
from acestep_serverless.engines.sketch.theory import parse_key
from acestep_serverless.engines.sketch.tone import Floats

STRETCH_SECONDS = 2
GIVING_BACK = 30
"""Seconds of song after which memory that is no longer needed leaves the process."""
FADE_SECONDS, SILENT_SECONDS = 0.3, 0.01
# Shares of the band's time, measured on a 90 s house song: tones, playing and mixing, mastering.
SUNG, PREPARED, PLAYED = 0.15, 0.3, 0.8

Progress = Callable[[float, str], None]
Job = Callable[[Stop], Floats | None]


@dataclass(slots=True)
class _Seat:
    """A player with their strip on the desk."""

    part: Part
    player: Player
    strip: Channel
    effects: Pedalboard | None
    movement: Movement | None
    step_back: StepBack | None
    gains: Floats

    @property
    def reverb(self) -> float:
        """How much of the part goes to the room."""
        return self.part.reverb

    @property
    def chorus(self) -> float:
        """How much of the part goes to the chorus."""
        return 0.0 if self.strip.mono else self.part.chorus

    def play(self, first: int, last: int, ducking: Floats | None, stop: Stop) -> Floats:
        """Return the part's stereo stretch as it goes to the mix."""
        sound = self.player.play(first, last, stop)
        if self.strip.mono:
            sound = sound.mean(axis=0, keepdims=True)
        stop()
        if self.effects is not None:
            sound = self.effects(sound, SAMPLE_RATE, reset=False)
        sound = np.asarray(sound * self.gains, dtype=np.float32)
        if self.movement is not None:
            sound = self.movement(sound, first)
        if ducking is not None and self.strip.ducking:
            sound *= 1 - np.float32(self.strip.ducking) * ducking
        if self.step_back is not None and (softer := self.step_back.gains(self.part, first, last - first)) is not None:
            sound *= softer
        return sound


class _Desk:
    """Where the parts meet: one chorus, one room, one bus, fed stretch by stretch."""

    def __init__(self, score: Score, seats: Sequence[_Seat], microphone: Microphone | None, mix: Floats) -> None:
        self._seats = seats
        self._microphone = microphone
        self._mix = mix
        self._room, self._ensemble, self._bus = room(score), ensemble(), bus_effects()
        self._chorus = any(seat.chorus > 0 for seat in seats)

    def finish(self, first: int, sounds: Sequence[Floats], stop: Stop) -> None:
        """Sum the parts' stretches in the order of the score, then the voice, with room and chorus, into the mix."""
        count = sounds[0].shape[1] if sounds else 0
        dry, echoing, swirling = (np.zeros((2, count), dtype=np.float32) for _ in range(3))
        for seat, sound in zip(self._seats, sounds, strict=False):
            dry += sound
            echoing += sound * np.float32(seat.reverb)
            if seat.chorus > 0:
                swirling += sound * np.float32(0.7 * seat.chorus)
        stop()
        if self._chorus:
            dry += self._ensemble(swirling, SAMPLE_RATE, reset=False)
        if self._microphone is not None:
            voice = self._microphone.ride(sounds[-1], dry)
            dry += voice
            echoing += voice * np.float32(self._microphone.reverb)
        dry += self._room(echoing, SAMPLE_RATE, reset=False)
        stop()
        self._mix[:, first : first + count] = self._bus(dry, SAMPLE_RATE, reset=False)


def play(score: Score, font: SoundFont, progress: Progress, cancelled: Callable[[], bool] = never) -> Clip:
    """Return the mastered song: stereo, 48 kHz, exactly `round(score.seconds * 48000)` samples, silent at the end.

    `progress` gets fractions from 0.0 to 1.0. Raises GenerationCancelled.
    """
    progress(0.0, "tuning the instruments" if score.vocals is None else "singing")
    microphone = microphone_for(score, cancelled)
    seats = [_seat(part, score, font) for part in score.parts]
    if microphone is not None:
        progress(SUNG, "tuning the instruments")
    together([seat.player.prepare for seat in seats], cancelled)
    mix = _mix(score, seats, microphone, progress, cancelled)
    # Tones and voice are no longer needed: a tenth of a gigabyte that mastering can have.
    del seats, microphone
    give_back()
    progress(PLAYED, "mastering")
    _end(mix)
    master_in_place(mix, SAMPLE_RATE, cancelled=cancelled)
    progress(1.0, "mastering")
    return Clip(mix)


def _seat(part: Part, score: Score, font: SoundFont) -> _Seat:
    strip = channel_of(part)
    instrument = instrument_for(part, font, parse_key(score.key_scale).tonic)
    return _Seat(
        part=part,
        player=Player(part, score.tempo, instrument, equaliser(strip)),
        strip=strip,
        effects=insert_effects(part, score),
        movement=movement(part.effect, score.tempo),
        step_back=StepBack(score, score.vocals) if score.vocals is not None else None,
        gains=pan_gains(0 if strip.mono else part.pan) * np.float32(10 ** ((part.gain + strip.level) / 20)),
    )


def _mix(
    score: Score,
    seats: list[_Seat],
    microphone: Microphone | None,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> Floats:
    """Play the whole song into one buffer; while the parts play a stretch, the desk finishes the one before."""
    count = round(score.seconds * SAMPLE_RATE)
    mix = np.zeros((2, count), dtype=np.float32)
    desk = _Desk(score, seats, microphone, mix)
    kicks = _kicks(score)
    waiting: list[Job] = []
    for first in range(0, count, STRETCH_SECONDS * SAMPLE_RATE):
        last = min(count, first + STRETCH_SECONDS * SAMPLE_RATE)
        progress(PREPARED + (PLAYED - PREPARED) * first / count, f"playing the {_section(score, first)}")
        ducking = None
        if score.sidechain > 0 and kicks.size:
            ducking = ducking_curve(kicks, first, last - first, SAMPLE_RATE * 60 / score.tempo) * score.sidechain
        jobs: list[Job] = [partial(seat.play, first, last, ducking) for seat in seats]
        if microphone is not None:
            jobs.append(partial(microphone.play, first, last))
        if first % (GIVING_BACK * SAMPLE_RATE) == 0:
            give_back()
        results = together([*waiting, *jobs], cancelled)
        waiting = [partial(desk.finish, first, [sound for sound in results if sound is not None])]
    progress(PLAYED, "mixing")
    together(waiting, cancelled)
    return mix


def _kicks(score: Score) -> NDArray[np.float64]:
    """Return the kicks' sample positions in order."""
    beat = SAMPLE_RATE * 60 / score.tempo
    starts = [
        note.start * beat for part in score.parts if part.role == "drums" for note in part.notes if note.pitch in KICKS
    ]
    return np.sort(np.array(starts, dtype=np.float64))


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
