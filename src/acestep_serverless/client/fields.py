"""Which keyword fields do the clients take? The handler's input fields, with their types for editors and type checkers.

A test holds this list to `contract.music_fields`, which has their meanings and ranges.
"""

from pathlib import Path
from typing import TypedDict

from acestep_serverless.client.songs import Song


class MusicFields(TypedDict, total=False):
    """The input of a job. Audio may be a text (URL, base64, file of an earlier job), a file of this machine as a Path,
    or a Song of an earlier job at the same endpoint."""

    caption: str | None
    lyrics: str | None
    duration: int | None
    batch_size: int | None
    timeout_seconds: int | None
    poll_interval: int | None
    return_audio_base64: bool | None
    max_base64_bytes: int | None
    seed: int | list[int] | None
    src_audio: str | Path | Song | None
    reference_audio: str | Path | Song | None
    bpm: int | None
    key_scale: str | None
    time_signature: str | int | None
    vocal_language: str | None
    use_random_seed: bool | None
    audio_format: str | None
    model: str | None
    task_type: str | None
    audio_code_string: str | None
    analysis_only: bool | None
    full_analysis_only: bool | None
    extract_codes_only: bool | None
    instruction: str | None
    global_caption: str | None
    track_name: str | None
    track_classes: list[str] | None
    repainting_start: float | None
    repainting_end: float | None
    repaint_mode: str | None
    repaint_strength: float | None
    repaint_latent_crossfade_frames: int | None
    repaint_wav_crossfade_sec: float | None
    chunk_mask_mode: str | None
    audio_cover_strength: float | None
    cover_noise_strength: float | None
    inference_steps: int | None
    guidance_scale: float | None
    shift: float | None
    infer_method: str | None
    use_adg: bool | None
    cfg_interval_start: float | None
    cfg_interval_end: float | None
    timesteps: str | list[float] | None
    use_tiled_decode: bool | None
    lora: str | None
    lora_scale: float | None
    thinking: bool | None
    sample_mode: bool | None
    sample_query: str | None
    use_format: bool | None
    use_cot_caption: bool | None
    use_cot_language: bool | None
    is_format_caption: bool | None
    allow_lm_batch: bool | None
    constrained_decoding: bool | None
    constrained_decoding_debug: bool | None
    lm_model_path: str | None
    lm_backend: str | None
    lm_temperature: float | None
    lm_cfg_scale: float | None
    lm_negative_prompt: str | None
    lm_top_k: int | None
    lm_top_p: float | None
    lm_repetition_penalty: float | None
