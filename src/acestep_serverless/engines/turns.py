"""How does an engine that makes one song after another serve several pieces, and how is one request made by itself?"""

from collections.abc import Callable, Iterator, Sequence

from acestep_serverless.engines.base import Cancelled, Engine, GenerationRequest, Made, Piece, Progress, Song


def in_turn(pieces: Sequence[Piece], songs: Callable[[Piece], Iterator[Song]]) -> Iterator[Made]:
    """Make the pieces one after another; whatever `songs` raises for one of them is its failure alone."""
    for number, piece in enumerate(pieces):
        try:
            for song in songs(piece):
                yield Made(number, song)
        except Exception as failure:
            yield Made(number, failure=failure)


def songs_of(
    engine: Engine, request: GenerationRequest, progress: Progress, cancelled: Cancelled = lambda: False
) -> Iterator[Song]:
    """Yield the songs of one request that is made by itself. Raises its failure."""
    for made in engine.generate([Piece(request, progress, cancelled)]):
        if made.failure is not None:
            raise made.failure
        if made.song is not None:
            yield made.song
