"""How long is a section whose harmony comes round after twelve bars? Whole rounds, and a turnaround at every end.

Where a song has no room for a whole progression, a section keeps its first bars and its turnaround. Intros are
turnarounds, or what there is room for of one.
"""

from collections.abc import Sequence

TURNAROUND = 4
"""Bars that lead back to the beginning at the end of a progression."""
SHORTEST = 8
"""A song of fewer bars has no room for a round, whatever is left out of it."""

# The fewest bars of a section that keep a turnaround rather than the beginning: a verse begins, an intro leads in.
TURNS_BACK = {"intro": 1, "verse": TURNAROUND + 1}
# What each round is called in songs of up to five; longer ones repeat cycles between the first and the last two.
FEW: dict[int, tuple[str, ...]] = {
    0: ("chorus",),
    1: ("chorus",),
    2: ("verse", "chorus"),
    3: ("verse", "instrumental", "chorus"),
    4: ("verse", "chorus", "instrumental", "chorus"),
    5: ("verse", "chorus", "verse", "instrumental", "chorus"),
}
CYCLE = ("verse", "chorus", "verse", "instrumental")
# Who is lengthened first where lyrics leave some bars: sections of one name are as long as each other.
FIRST = ("verse", "chorus", "instrumental", "prechorus", "bridge")


def laid(progression: Sequence[list[str]], bars: int, section: str) -> list[list[str]]:
    """Return a section's bars of chords: whole progressions, and what is left keeps its end, where it turns back.

    A loop of four bars or fewer is cut wherever the section ends, and so is a progression in too short a section.
    """
    whole, left = divmod(bars, len(progression))
    head = max(0, left - TURNAROUND)
    cut = not whole and left < TURNS_BACK.get(section, TURNAROUND)
    if cut or len(progression) <= TURNAROUND:
        rest = list(progression[:left])
    else:
        rest = [*progression[:head], *progression[len(progression) - left + head :]]
    return [*list(progression) * whole, *rest]


def round_form(bars: int, length: int) -> list[tuple[str, int]]:
    """Return the sections of an instrumental of at least SHORTEST bars: rounds of `length`, an intro, an outro.

    A song of less than a round is one section.
    """
    rounds, spare = divmod(bars, length)
    if rounds == 0:
        return [(FEW[0][0], bars)]
    intro = min(TURNAROUND, spare)
    middle = FEW.get(rounds) or tuple(CYCLE[index % len(CYCLE)] for index in range(rounds - 2)) + FEW[5][-2:]
    form = [("intro", intro), *((name, length) for name in middle), ("outro", spare - intro)]
    return [(name, count) for name, count in form if count]


def rounded_up(lengths: Sequence[int], names: Sequence[str], bars: int, length: int) -> list[int]:
    """Return the lengths of a song's sections, in bars, as whole rounds where all of one name have the room."""
    lengths = list(lengths)
    for name in FIRST:
        longer = [
            -(-own // length) * length if other == name else own for own, other in zip(lengths, names, strict=True)
        ]
        if sum(longer) <= bars:
            lengths = longer
    return lengths
