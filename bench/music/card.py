"""What does the benchmark say? A figure for each goal with what was reached, and a row for each style."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.music.cleanness import Cleanness
from bench.music.judging import Judged, share
from bench.music.reading import Read, reading
from bench.music.separating import Separation, separation

LEAST, MOST = "at least", "at most"
HEAD = "style             tempo    key  silence   peak   LUFS       DC clicks  made as"


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure by its `key` (units at its end) with what it is in words, its value, and its goal."""

    key: str
    words: str
    value: float
    bound: str
    goal: float

    @property
    def reached(self) -> bool:
        """Whether the goal is."""
        return self.value >= self.goal if self.bound == LEAST else self.value <= self.goal


def figures_of(
    songs: Sequence[Judged], reads: Sequence[Read], times: Mapping[str, Mapping[str, float]]
) -> list[Figure]:
    """Return every figure of a run."""
    clean = [song.clean for song in songs]
    return [*_of_the_music(songs), *_of_the_sound(clean), *_of_the_words(reads), *_of_time(times)]


def _of_the_music(songs: Sequence[Judged]) -> Iterable[Figure]:
    styles = separation(songs)
    yield Figure("tempo_found", "tempo found by a beat tracker", share(s.tempo_found for s in songs), LEAST, 0.9)
    yield Figure("key_found", "key, or its relative, found", share(s.key_found for s in songs), LEAST, 0.75)
    yield Figure("obeyed", "tempo, key, meter, length as asked", share(s.obeyed for s in songs), LEAST, 1.0)
    if styles.songs:
        words = f"styles told apart (chance {styles.chance:.3f})"
        yield Figure("styles_told_apart", words, styles.accuracy, LEAST, 2 * styles.chance)


def _of_the_sound(clean: Sequence[Cleanness]) -> Iterable[Figure]:
    yield Figure("longest_silence_s", "longest silence inside a song, s", max(c.silence for c in clean), MOST, 1.5)
    yield Figure("highest_peak_dbtp", "highest true peak, dBTP", max(c.true_peak for c in clean), MOST, -1.0)
    furthest = max(abs(c.loudness + 14) for c in clean)
    yield Figure("furthest_lu", "furthest from -14 LUFS, LU", furthest, MOST, 0.5)
    yield Figure("largest_dc", "largest constant offset", max(c.offset for c in clean), MOST, 0.002)
    yield Figure("clicks", "clicks in all songs", float(sum(len(c.clicks) for c in clean)), MOST, 0)


def _of_the_words(reads: Sequence[Read]) -> Iterable[Figure]:
    found = reading(reads)
    words = f"words misread, sung {found.sung:.2f} over spoken {found.spoken:.2f}"
    yield Figure("words_misread_ratio", words, found.ratio, MOST, 1.5)


def _of_time(times: Mapping[str, Mapping[str, float]]) -> Iterable[Figure]:
    for name, key, words, goal in (("band", "song_90_s", "without", 2.0), ("voice", "sung_90_s", "with", 4.0)):
        work = times[name]["processor_seconds"]
        yield Figure(f"{key}_s", f"90 s {words} voice, s (processor {work:.1f} s)", times[name]["seconds"], MOST, goal)
    yield Figure("sung_600_s_mb", "memory of 600 s with voice, MB", times["long"]["memory_mb"], MOST, 500.0)


def card(songs: Sequence[Judged], styles: Separation, figures: Sequence[Figure]) -> str:
    """Lay out the figures, the styles and what was missed for people."""
    lines = [f"{'':8}{'':44} {'measured':>9}   goal", *map(_line, figures), "", HEAD]
    labels = list(dict.fromkeys(song.case.label for song in songs))
    lines += [_row(label, [song for song in songs if song.case.label == label]) for label in labels]
    lines += ["", *(line for song in songs if (line := _missed(song)))]
    lines += [f"taken for another: {style} for {guess}, {count}" for style, guess, count in styles.confused]
    return "\n".join(lines)


def _line(figure: Figure) -> str:
    verdict = "reached" if figure.reached else "MISSED"
    return f"{verdict:8}{figure.words:44} {figure.value:9.3f}   {figure.bound} {figure.goal:g}"


def _row(label: str, songs: Sequence[Judged]) -> str:
    clean = [song.clean for song in songs]
    made = "; ".join(sorted({song.made for song in songs}))
    return (
        f"{label:16} {share(s.tempo_found for s in songs):6.2f} {share(s.key_found for s in songs):6.2f}"
        f" {max(c.silence for c in clean):8.2f} {max(c.true_peak for c in clean):6.2f}"
        f" {max((c.loudness for c in clean), key=lambda loudness: abs(loudness + 14)):6.2f}"
        f" {max(c.offset for c in clean):8.5f} {sum(len(c.clicks) for c in clean):6}  {made[:60]}"
    )


def _missed(song: Judged) -> str:
    """Say what was not found in a song; "" when all was."""
    heard, notes = song.heard, []
    if not song.tempo_found:
        notes.append(f"{song.bpm} bpm in {song.meter} heard as {heard.bpm:.1f}")
    if not song.key_found:
        tonic = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")[heard.tonic]
        notes.append(f"{song.key_scale} heard as {tonic} {heard.mode}")
    if not song.obeyed:
        notes.append(f"made as {song.bpm} bpm, {song.key_scale}, {song.meter}, {song.seconds:g} s")
    if song.clean.clicks:
        notes.append("clicks at " + ", ".join(f"{time:.2f}" for time in song.clean.clicks[:4]) + " s")
    return f"{song.case.name}: {'; '.join(notes)}" if notes else ""
