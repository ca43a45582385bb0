"""What is a request in the words of the ACE-Step API? The body of `/release_task`, as every version reads it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_tasks import track_instruction

INPUT_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "caption",
        "audio_duration": "duration",
        "src_audio_path": "src_audio",
        "reference_audio_path": "reference_audio",
    }
)
"""What the input's fields are called that have another name in the ACE-Step API."""

_NAMED = re.compile(rf"(^|; )({'|'.join(INPUT_FIELDS)})(?=: )")


def release_parameters(request: MusicInput) -> dict[str, object]:
    """Return the `/release_task` body of a request.

    One seed is a number, several are the text "7,8,9" (the upstream server's own form); without a seed the server
    draws one per song. Where the request works on given audio and names no duration, the audio says how long.
    """
    seeds = request.seeds
    body: dict[str, object] = {
        "prompt": request.caption,
        "lyrics": request.lyrics,
        "audio_duration": request.duration,
        "batch_size": request.batch_size,
        "use_random_seed": seeds is None,
        "seed": -1 if seeds is None else seeds[0] if len(seeds) == 1 else ",".join(map(str, seeds)),
        "audio_format": "mp3",
        **request.parameters,
    }
    if request.src_audio is not None and "duration" not in request.given:
        del body["audio_duration"]
    instruction = track_instruction(
        request.task_type, str(request.parameters.get("track_name", "")), request.parameters.get("track_classes", ())
    )
    if instruction is not None and not str(body.get("instruction", "")).strip():
        body["instruction"] = instruction
    return body


def in_input_fields(refusal: str) -> str:
    """Spell a refusal of the ACE-Step API ("FIELD: ...; FIELD: ...") with the names that the caller used."""
    return _NAMED.sub(lambda found: f"{found[1]}{INPUT_FIELDS[found[2]]}", refusal)
