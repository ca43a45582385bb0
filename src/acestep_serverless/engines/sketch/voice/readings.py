"""How are Chinese characters read in Japanese? As kana: eSpeak NG reads kana, and calls each character by its name.

The readings are those of pykakasi's dictionary, the likeliest of each word without its sentence ("kun" for "kimi" can
happen). Loading it takes 0.6 s and 60 MB, so it is loaded with the first line that needs it.
"""

import re
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from acestep_serverless.errors import EngineUnavailable

_CHARACTERS = re.compile("[\u3005\u3400-\u4dbf\u4e00-\u9fff]")
# Particles are written by old rules and spoken by new ones.
_PARTICLES = MappingProxyType({"は": "わ", "へ": "え", "を": "お"})


def in_kana(text: str) -> str:
    """Return a Japanese line in kana where it has Chinese characters; one without them as it is.

    Raises EngineUnavailable naming the pip command where the dictionary is missing.
    """
    if not _CHARACTERS.search(text):
        return text
    words = (_PARTICLES.get(word["hira"], word["hira"]) for word in _dictionary().convert(text))
    return " ".join(words)


@lru_cache(maxsize=1)
def _dictionary() -> Any:
    try:
        import pykakasi
    except ImportError as problem:
        raise EngineUnavailable("Japanese lyrics need a dictionary: pip install pykakasi") from problem
    build: Any = pykakasi.kakasi
    return build()
