"""What is wished of a song's plan, what is given already, and what is the plan? Plain data, and the facts of a thought.

What the wish gives is never changed: it stands in the model's thought as it is, and comes back as it was.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from acestep_serverless.engines.acestep.grammar import MAYBE, OPEN
from acestep_serverless.engines.acestep.prompts import INSTRUMENTAL, Facts, is_instrumental
from acestep_serverless.engines.base import GenerationRequest, Planning
from acestep_serverless.engines.extras import SongText

UNKNOWN = "unknown"
_METAS = ("bpm", "duration", "keyscale", "timesignature")
_WITHOUT_WORDS = re.compile(r"\binstrumental\b|\bpure music\b|\bsolo\s*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wish:
    """One song to be planned: what is given of it (None, "" and language "unknown" are open), how, and its seed."""

    text: SongText
    planning: Planning
    seed: int

    @classmethod
    def of(cls, request: GenerationRequest, seed: int) -> "Wish":
        """Take one song of a task."""
        text = SongText(
            request.caption,
            request.lyrics,
            request.bpm,
            request.duration,
            request.key_scale,
            request.time_signature,
            request.vocal_language,
        )
        return cls(text, request.planning, seed)

    @property
    def worded(self) -> bool:
        """Whether the model writes the song's words first (sample mode or format mode)."""
        return self.planning.sample_mode or self.planning.use_format

    @property
    def instrumental(self) -> bool:
        """Whether the song is to have no words: its lyrics say so, or in sample mode the description does."""
        if self.planning.sample_mode and not self.text.lyrics.strip():
            return self.text.instrumental or _WITHOUT_WORDS.search(self.planning.sample_query) is not None
        return self.text.instrumental or is_instrumental(self.text.lyrics)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a song is to be: its words and metas, all that was open filled in, and its audio codes, 5 a second.

    Metas stay open and codes are () where the wish did not ask for them.
    """

    text: SongText
    codes: tuple[int, ...] = ()


def given_facts(text: SongText) -> Facts:
    """Give the known metas and the known language by the thought's keys; seconds and beats are whole numbers there."""
    known = {
        "bpm": None if text.bpm is None else str(text.bpm),
        "duration": None if text.duration is None else str(max(1, int(text.duration + 0.5))),
        "keyscale": text.key_scale or None,
        "language": None if text.vocal_language in ("", UNKNOWN) else text.vocal_language,
        "timesignature": text.time_signature or None,
    }
    return {key: value for key, value in known.items() if value is not None}


def open_lines(wish: Wish) -> Mapping[str, object]:
    """Give the lines of the thought before the codes; none if the model has nothing to fill in.

    After sample mode and format mode nothing is open: caption and language are the model's own already.
    """
    given, planning = given_facts(wish.text), wish.planning
    lines: dict[str, object] = dict.fromkeys(_METAS, OPEN)
    if planning.use_cot_caption and not wish.worded:
        lines["caption"] = OPEN
    if planning.use_cot_language and not wish.worded:
        lines["language"] = OPEN
    lines.update(given)
    return lines if OPEN in lines.values() else {}


def word_lines(text: SongText) -> Mapping[str, object]:
    """Give the lines of the thought before the lyrics: all of them, with what is given."""
    lines: dict[str, object] = dict.fromkeys((*_METAS, "caption", "language"), OPEN)
    return {**lines, "genres": MAYBE, **given_facts(text)}


def with_facts(text: SongText, facts: Facts) -> SongText:
    """Fill in what is open of a song's metas and language; what is given stays."""
    bpm, seconds = facts.get("bpm"), facts.get("duration")
    return replace(
        text,
        bpm=text.bpm if text.bpm is not None or bpm is None else int(bpm),
        duration=text.duration if text.duration is not None or seconds is None else float(seconds),
        key_scale=text.key_scale or facts.get("keyscale", ""),
        time_signature=text.time_signature or facts.get("timesignature", ""),
        vocal_language=facts.get("language", UNKNOWN) if text.vocal_language in ("", UNKNOWN) else text.vocal_language,
    )


def with_words(wish: Wish, facts: Facts, lyrics: str) -> Wish:
    """Give the wish with the words that the model wrote: format mode replaces the given ones, sample mode adds them."""
    text = wish.text
    polished = not wish.planning.sample_mode
    caption = facts["caption"] if polished or not text.caption.strip() else text.caption
    sung = INSTRUMENTAL if wish.instrumental else lyrics or text.lyrics
    words = replace(text, caption=caption, lyrics=sung, instrumental=wish.instrumental)
    return replace(wish, text=with_facts(words, facts))
