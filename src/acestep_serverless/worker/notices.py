"""What must a caller be told of songs that only the output carries? Sentences, and how to get links instead."""

from collections.abc import Sequence

from acestep_serverless.worker.embedding import DeliveredSong

HOW_TO_GET_LINKS = (
    "to get links, send s3Config with the job, or set BUCKET_ENDPOINT_URL, BUCKET_ACCESS_KEY_ID and "
    "BUCKET_SECRET_ACCESS_KEY at the endpoint"
)
NOWHERE_TO_FETCH = (
    f"this endpoint keeps no files, so `file` cannot be fetched; {HOW_TO_GET_LINKS}, or leave return_audio_base64 out "
    "to get the audio itself"
)
ONLY_IN_THE_OUTPUT = (
    f"this endpoint keeps no files, so the audio is in `audio` and `file` cannot be fetched; {HOW_TO_GET_LINKS}"
)

MOST_WARNINGS = 32
"""So many warnings of an ACE-Step server are passed on; no server of ours has that many to say."""

LONGEST_WARNING = 1_000
"""Characters of one warning of a server: a response should not grow too large by them."""


def shortened(warning: str) -> str:
    """Return a server's warning, cut at LONGEST_WARNING characters."""
    return warning if len(warning) <= LONGEST_WARNING else f"{warning[: LONGEST_WARNING - 3]}..."


def about_audio(
    unkept: Sequence[DeliveredSong], left_out: Sequence[DeliveredSong], *, asked: bool, declined: bool
) -> list[str]:
    """Say what becomes of songs that nothing but the output can carry (`unkept`): the caller `asked` for their audio,
    `declined` it, or said nothing; those `left_out` did not fit into the output."""
    if not unkept:
        return []
    if declined:
        return [NOWHERE_TO_FETCH]
    told = [] if asked else [ONLY_IN_THE_OUTPUT]
    lost = [str(song.index + 1) for song in left_out if not song.kept]
    if lost:
        which = f"song {lost[0]} is" if len(lost) == 1 else f"songs {', '.join(lost)} are"
        told.append(f"{which} too large for the response, and nothing else keeps files here; {HOW_TO_GET_LINKS}")
    return told
