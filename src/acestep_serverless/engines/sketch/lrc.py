"""When is which line sung? Timed lyrics as an LRC file: a line of the text, its time, and the time of each word.

`[mm:ss.xx]` before a line and `<mm:ss.xx>` before a word, as players of LRC files and of its enhanced form read them;
the head names title and length. A line of time alone ends the one before it, where the voice falls silent.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from acestep_serverless.engines.sketch.score import Score
from acestep_serverless.engines.sketch.voice.song import SungLine, SungNote

SILENCE_SECONDS = 3.0
"""A pause from which on a line is taken from the screen."""
TITLE_CHARACTERS = 120


def lrc_file(score: Score, title: str = "") -> bytes | None:
    """Return what is sung in a score as the bytes of an LRC file (UTF-8), None where nothing is.

    `title` is any text, of which one line is used.
    """
    sung = score.vocals.lines if score.vocals is not None else ()
    lines = sorted((line for line in sung if line.notes), key=lambda line: line.notes[0].start)
    if not lines:
        return None
    head = [f"[{name}:{text}]" for name, text in (("ti", _one_line(title)), ("length", _clock(score.seconds))) if text]
    return "".join(f"{row}\n" for row in (*head, *_rows(lines, 60 / score.tempo))).encode("utf-8", "replace")


def _rows(lines: Sequence[SungLine], beat: float) -> Iterator[str]:
    """Each line at its time, and an empty one where it is silent for long afterwards."""
    starts = [line.notes[0].start * beat for line in lines]
    for line, start, following in zip(lines, starts, [*starts[1:], None], strict=True):
        yield f"[{_time(start)}]{_timed_words(line, beat)}"
        end = (line.notes[-1].start + line.notes[-1].length) * beat
        if following is None or following - end > SILENCE_SECONDS:
            yield f"[{_time(end)}]"


def _timed_words(line: SungLine, beat: float) -> str:
    """The words with their times, spelled and spaced as the text has them; as they are sung, if it has others."""
    words = list(_sung_words(line.notes))
    written = _written(line.text, [word for word, _ in words]) or [f"{word} " for word, _ in words]
    return "".join(f"<{_time(start * beat)}>{text}" for text, (_, start) in zip(written, words, strict=True)).rstrip()


def _written(text: str, words: Sequence[str]) -> list[str]:
    """Cut a text before each of its words; [] unless it has just these, in this order."""
    searched, places = text.replace("\u2019", "'").lower(), [0]
    if len(searched) != len(text):
        return []
    end = 0
    for number, word in enumerate(words):
        place = searched.find(word.lower(), end)
        if place < 0:
            return []
        end = place + len(word)
        if number:
            places.append(place)
    return [text[first:last] for first, last in pairwise([*places, len(text)])]


def _sung_words(notes: Sequence[SungNote]) -> Iterator[tuple[str, float]]:
    """Each word that is sung with the beat of its first syllable."""
    text, start = "", 0.0
    for note in notes:
        if note.syllable is None:
            continue
        start = start if text else note.start
        text += note.syllable.text
        if note.syllable.word_end:
            yield text, start
            text = ""
    if text:
        yield text, start


def _time(seconds: float) -> str:
    """A time as LRC spells it: minutes, seconds, hundredths."""
    hundredths = max(0, round(seconds * 100))
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _clock(seconds: float) -> str:
    return f"{round(seconds) // 60:02d}:{round(seconds) % 60:02d}"


def _one_line(text: str) -> str:
    """A title without line ends and brackets, which would end its tag."""
    plain = " ".join(text.replace("[", "(").replace("]", ")").split())
    return "".join(letter for letter in plain if letter.isprintable())[:TITLE_CHARACTERS]
