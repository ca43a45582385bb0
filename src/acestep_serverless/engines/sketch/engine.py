"""How does the built-in engine make a song? It composes a score from the request and lets its band play it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from acestep_serverless.audio.together import abandonable
from acestep_serverless.engines.base import (
    Cancelled,
    EngineLimits,
    GenerationRequest,
    Made,
    Piece,
    Progress,
    Sharing,
    SideFile,
    Song,
    SongMetas,
)
from acestep_serverless.engines.sketch.band import play
from acestep_serverless.engines.sketch.composer import compose
from acestep_serverless.engines.sketch.lrc import lrc_file
from acestep_serverless.engines.sketch.midi import midi_file
from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.soundfont import SoundFont, find_soundfont
from acestep_serverless.engines.turns import in_turn

LIMITS = EngineLimits(shortest=1.0, longest=600.0, largest_batch=8, caption_characters=512, lyrics_characters=4096)
# Share of a song's time that composing takes: 0.03 s of 1.1 s for a 90 s song.
COMPOSED = 0.03


class SketchEngine:
    """The engine that needs no weights and no GPU (see engines/base.py for the promises it keeps)."""

    name = "sketch"
    model = "sketch"
    models = ("sketch",)
    language_model = ""
    task_types = frozenset({"text2music"})
    uses: frozenset[str] = frozenset()
    words = None
    adapters = None
    limits = LIMITS

    @cached_property
    def _font(self) -> SoundFont:
        return SoundFont(find_soundfont())

    def task_types_of(self, model: str) -> frozenset[str]:
        """Songs from words, whatever the model is called."""
        return self.task_types

    def load(self, progress: Progress) -> None:
        """Read the sound bank. Raises EngineUnavailable naming the pip command when it is missing."""
        progress(0.0, "reading the sound bank")
        _ = self._font
        progress(1.0, "ready")

    def sharing(self, request: GenerationRequest) -> Sharing | None:
        """Share nothing: one song's parts already play on every core, so songs side by side would all be late."""
        return None

    def generate(self, pieces: Sequence[Piece]) -> Iterator[Made]:
        """Make one song after another, piece by piece; a piece's `progress` spans its songs."""
        return in_turn(pieces, self._songs)

    def _songs(self, piece: Piece) -> Iterator[Song]:
        seeds = piece.request.seeds
        for index, seed in enumerate(seeds):
            yield self._song(piece.request, index, seed, _share(piece.progress, index, len(seeds)), piece.cancelled)

    def _song(
        self, request: GenerationRequest, index: int, seed: int, progress: Progress, cancelled: Cancelled
    ) -> Song:
        progress(0.0, "composing")
        # 0.4 s for the longest songs: more than a cancel may wait.
        composition = abandonable(lambda: compose(_read(request), seed), cancelled)
        score = composition.score
        beside = abandonable(lambda: _beside(score, request.caption), cancelled)
        clip = play(score, self._font, lambda done, stage: progress(COMPOSED + (1 - COMPOSED) * done, stage), cancelled)
        return Song(
            index=index,
            seed=seed,
            clip=clip,
            caption=request.caption,
            lyrics=request.lyrics,
            metas=SongMetas(
                bpm=round(score.tempo),
                duration=clip.seconds,
                key_scale=score.key_scale,
                time_signature=score.time_signature,
                genres=", ".join(score.understood),
            ),
            warnings=(*_cut_text(request), *composition.warnings),
            beside=beside,
        )


def _beside(score: Score, title: str) -> tuple[SideFile, ...]:
    """The score as MIDI, and what is sung as timed lyrics: 0.07 s for a 90 s song."""
    midi = SideFile("midi", midi_file(score))
    lrc = lrc_file(score, title)
    return (midi,) if lrc is None else (midi, SideFile("lrc", lrc))


def _share(progress: Progress, index: int, songs: int) -> Progress:
    """Return the progress of one song as its share of the piece, never falling."""
    highest = 0.0

    def report(fraction: float, stage: str) -> None:
        nonlocal highest
        highest = max(highest, min(1.0, fraction))
        progress((index + highest) / songs, stage)

    return report


def _read(request: GenerationRequest) -> GenerationRequest:
    """Return the request with the text that the engine reads."""
    return replace(
        request,
        caption=request.caption[: LIMITS.caption_characters],
        lyrics=request.lyrics[: LIMITS.lyrics_characters],
    )


def _cut_text(request: GenerationRequest) -> tuple[str, ...]:
    """Say which text lies beyond what the engine reads."""
    texts = (
        ("caption", request.caption, LIMITS.caption_characters),
        ("lyrics", request.lyrics, LIMITS.lyrics_characters),
    )
    return tuple(
        f"{name}: the sketch engine reads the first {limit} characters, {len(text) - limit} more were not read"
        for name, text, limit in texts
        if len(text) > limit
    )
