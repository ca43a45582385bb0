"""Where does the composer's chance come from? One named generator per choice, so that changing one part moves no other.

Every generator is seeded by SHA-256 over the song's root and its own name; Python's salted hash() plays no role, so the
same request gives the same music on every machine and in every process.
"""

import hashlib
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Chance:
    """The root of one song's chance: a digest of its seed and its words."""

    root: str

    def of(self, *names: object) -> Random:
        """A fresh generator for the choice of this name; asking twice gives the same sequence twice."""
        text = "/".join((self.root, *(str(name) for name in names)))
        return Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))


def chance_from(seed: int, caption: str, lyrics: str) -> Chance:
    """Mix a song's seed with its words, so that every word, known or not, takes part in the choices."""
    text = "\x00".join((str(seed), caption.strip(), lyrics.strip()))
    return Chance(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
