"""What does a file say of itself? Its title, and which engine made it from which seed."""


def song_tags(title: str, engine: str, seed: int) -> dict[str, str]:
    """Return the tags of a song, for `codec.encode`: nothing that changes from run to run.

    MP3, FLAC and Opus hold all four. WAV and M4A have no place for names of one's own and hold `title` and `comment`
    only, so the comment says engine and seed as well.
    """
    comment = f"made by the {engine} engine, seed {seed}"
    return {"title": title, "comment": comment, "engine": engine, "seed": str(seed)}
