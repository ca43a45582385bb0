"""How is a song of the grid made? By the engine, as any caller's would be."""

from functools import cache

from acestep_serverless.engines.base import GenerationRequest, Piece, Song
from acestep_serverless.engines.sketch.engine import SketchEngine


@cache
def engine() -> SketchEngine:
    """The engine of this process, its sounds read."""
    made = SketchEngine()
    made.load(lambda _fraction, _stage: None)
    return made


def song_of(request: GenerationRequest) -> Song:
    """Make the request's first song. Raises what the engine raises."""
    for made in engine().generate([Piece(request, lambda _fraction, _stage: None, lambda: False)]):
        if made.song is not None:
            return made.song
        raise made.failure or RuntimeError("the engine ended without a song")
    raise RuntimeError("the engine made nothing")
