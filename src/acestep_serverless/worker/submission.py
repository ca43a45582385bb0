"""What is a request in the words of the ACE-Step API? The body of `/release_task`, as every version reads it."""

from acestep_serverless.contract.music import MusicInput
from acestep_serverless.contract.music_tasks import track_instruction


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
