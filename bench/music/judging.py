"""How does one song of the grid do? It is made by the engine as any caller's would be, then heard and looked at."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from bench.music.cleanness import Cleanness, cleanness
from bench.music.grid import Case
from bench.music.listening import Heard, key_agrees, listen, mono, tempo_agrees
from bench.music.making import song_of

PROCESSES = 2


@dataclass(frozen=True, slots=True)
class Judged:
    """A song: what it says it is, what was heard, how clean it is. `made` names the style that the engine chose."""

    case: Case
    made: str
    bpm: int
    key_scale: str
    meter: str
    seconds: float
    heard: Heard
    clean: Cleanness

    @property
    def tempo_found(self) -> bool:
        """Whether the beat tracker agrees with the song's own tempo."""
        return tempo_agrees(self.heard.bpm, self.bpm, self.meter)

    @property
    def key_found(self) -> bool:
        """Whether the key estimator agrees with the song's own key, or hears its relative."""
        return key_agrees(self.heard.tonic, self.heard.mode, self.key_scale)

    @property
    def obeyed(self) -> bool:
        """Whether tempo, key, meter and length are those that the request gave."""
        request = self.case.request
        wishes = ((request.bpm, self.bpm), (request.key_scale, self.key_scale), (request.time_signature, self.meter))
        return self.seconds == request.duration and all(not wish or wish == made for wish, made in wishes)


def judged(case: Case) -> Judged:
    """Make one song and judge it."""
    song = song_of(case.request)
    clip, metas = song.clip, song.metas
    return Judged(
        case=case,
        made=metas.genres,
        bpm=metas.bpm,
        key_scale=metas.key_scale,
        meter=metas.time_signature,
        seconds=clip.seconds,
        heard=listen(mono(clip.samples, clip.sample_rate)),
        clean=cleanness(clip.samples, clip.sample_rate),
    )


def all_judged(wanted: Sequence[Case]) -> Iterator[Judged]:
    """Yield every case judged, as they are ready, by two processes."""
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(judged, case) for case in wanted]):
            yield done.result()


def share(truths: Iterable[bool]) -> float:
    """Return how many of them are true, 0.0 to 1.0."""
    listed = list(truths)
    return sum(listed) / len(listed) if listed else 0.0
