"""Which songs are made together, and how far is each? A batch's pieces, taken apart into songs."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from acestep_serverless.engines.acestep.tasks import Brief
from acestep_serverless.engines.base import GenerationRequest, Made, Piece, Sharing
from acestep_serverless.errors import GenerationCancelled

_BUCKETS = (15, 30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 420, 480, 540, 600)
"""Seconds at which a new bucket of lengths starts: what shares a pass is padded to its longest song."""


def sharing(request: GenerationRequest, model: str, songs: int) -> Sharing | None:
    """Tell with whom a request shares a pass: same model, same walk, same bucket of lengths. Analyses share nothing.

    Words, metas, task type and seeds may differ, so may source and reference.
    """
    if request.analysis or songs < 2:
        return None
    return Sharing((request.model or model, _bucket(request.duration), *_walk(request)), songs)


def _bucket(seconds: float) -> int:
    return next((edge for edge in _BUCKETS if seconds <= edge), round(seconds))


def _walk(request: GenerationRequest) -> tuple[Hashable, ...]:
    """What every song of a pass must agree on."""
    covers = request.editing.task_type in ("cover", "cover-nofsq")
    return request.sampling, request.editing.cover_noise_strength if covers else 0.0


@dataclass
class Song:
    """One song on its way. `request` and `brief` are the piece's, once planned; `done` runs from 0.0 to 1.0."""

    piece: int
    index: int
    seed: int
    request: GenerationRequest
    brief: Brief | None = None
    warnings: tuple[str, ...] = ()
    done: float = 0.0

    @property
    def asked(self) -> Brief:
        """The brief, once there is one."""
        if self.brief is None:
            raise RuntimeError("the song has no brief yet")
        return self.brief


@dataclass
class Desk:
    """Who in this batch is still wanted, what has become of the others, and how far everybody is."""

    pieces: Sequence[Piece]
    songs: list[Song] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "Desk":
        """Take the pieces apart into songs, in the order of pieces and seeds."""
        songs = [
            Song(number, index, seed, replace(piece.request, seeds=(seed,)))
            for number, piece in enumerate(pieces)
            for index, seed in enumerate(piece.request.seeds)
        ]
        return cls(pieces, songs)

    def left(self, songs: Sequence[Song]) -> list[Song]:
        """Give those of `songs` whose piece has not ended."""
        return [song for song in songs if song.piece not in self.ended]

    def of_piece(self, number: int) -> list[Song]:
        """Give a piece's songs."""
        return [song for song in self.songs if song.piece == number]

    def waiting(self) -> list[int]:
        """Give the numbers of the pieces that have not ended."""
        return [number for number in range(len(self.pieces)) if number not in self.ended]

    def attempt(self, number: int, work: Callable[[], None]) -> Iterator[Made]:
        """Do something for a piece; what goes wrong with it is that piece's failure alone."""
        try:
            work()
        except Exception as failure:
            yield from self.fail(number, failure)

    def fail(self, number: int, failure: Exception) -> Iterator[Made]:
        """End a piece with `failure`, unless it has ended already."""
        if number not in self.ended:
            self.ended.add(number)
            yield Made(number, failure=failure)

    def drop_unwanted(self) -> Iterator[Made]:
        """Ask each piece whether it is still wanted, and end those that are not."""
        for number, piece in enumerate(self.pieces):
            if number not in self.ended and piece.cancelled():
                yield from self.fail(number, GenerationCancelled("the song was cancelled"))

    def tell(self, songs: Sequence[Song], done: float, stage: str) -> None:
        """Note how far `songs` are and tell their pieces, each the mean of its songs; it never falls."""
        for song in songs:
            song.done = max(song.done, min(1.0, done))
        for number in sorted({song.piece for song in self.left(songs)}):
            own = [song.done for song in self.songs if song.piece == number]
            self.pieces[number].progress(sum(own) / len(own), stage)

    def stop_unwanted(self, song: Song) -> None:
        """Raise GenerationCancelled when nobody wants this song's piece any more."""
        if self.pieces[song.piece].cancelled():
            raise GenerationCancelled("the song was cancelled")
