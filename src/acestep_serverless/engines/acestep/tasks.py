"""What exactly is asked of the model for one song? Texts in the model's own format, lengths, spans and sound.

The formats are those the weights were trained with (section "text formats" of the upstream project's handler): one
character more or less and the model reads something it has never seen. Lengths are latent frames, 25 a second; spans
are half open, in frames. Everything here is plain Python: no tensor, no chance.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from acestep_serverless.audio.clip import SAMPLE_RATE, Clip
from acestep_serverless.contract.music_tasks import TASKS, track_instruction
from acestep_serverless.engines.base import Editing, GenerationRequest
from acestep_serverless.errors import FieldProblem, InputError

FRAMES_PER_SECOND = 25
SAMPLES_PER_FRAME = SAMPLE_RATE // FRAMES_PER_SECOND
FRAMES_PER_CODE = 5
MOST_CODE = 63_999
"""The largest audio code that means something (8 * 8 * 8 * 5 * 5 * 5 of them)."""

SILENCE, SOURCE, MELODY, CODES = "silence", "source", "melody", "codes"
"""What the model is shown beside the noise: nothing, the source, the source through the 5 Hz codes, given codes."""

_GUIDES: Mapping[str, str] = MappingProxyType(
    {
        "text2music": SILENCE,
        "cover": MELODY,
        "cover-nofsq": SOURCE,
        "repaint": SOURCE,
        "lego": SOURCE,
        "extract": SOURCE,
        "complete": SOURCE,
    }
)
_COVERS = frozenset({"cover", "cover-nofsq"})
_WITH_SPAN = frozenset({"repaint", "lego"})
_CODE = re.compile(r"<\|audio_code_(\d{1,9})\|>")

# Defaults of the two parameters with which a caller overrules what repaint_mode and repaint_strength stand for.
_DEFAULT_CROSSFADE_FRAMES = Editing().repaint_latent_crossfade_frames
_MOST_CROSSFADE_FRAMES, _MOST_CROSSFADE_SECONDS = 25, 0.05


@dataclass(frozen=True, slots=True)
class Repainting:
    """How firmly the source is kept outside the span: `held` is the share of steps that put it back there (0 to 1),
    then latents fade over `crossfade_frames` and samples over `crossfade_seconds`; `spliced`: samples are the source's.
    """

    held: float
    crossfade_frames: int
    crossfade_seconds: float
    spliced: bool


@dataclass(frozen=True, slots=True)
class Brief:
    """One song as the model is asked for it. `plain_text` is the text once a cover lets go of its source.

    `source` and `reference` are stereo; `span` is what is made new (None: all); `cover_strength` is the share of the
    steps that follow the source, `noise_strength` how near to it the first step starts (0.0 is pure noise).
    """

    text: str
    plain_text: str
    lyrics: str
    frames: int
    guide: str
    codes: tuple[int, ...] = ()
    source: Clip | None = None
    reference: Clip | None = None
    span: tuple[int, int] | None = None
    repainting: Repainting | None = None
    cover_strength: float = 1.0
    noise_strength: float = 0.0

    @property
    def seconds(self) -> float:
        """The song's length."""
        return self.frames / FRAMES_PER_SECOND


def brief(request: GenerationRequest, longest: float, *, stems: bool = False) -> Brief:
    """Work out what one song of `request` asks of the model, at most `longest` seconds.

    `stems`: this model reads a caption of the whole song beside the track's (`stems_caption`). Raises InputError for a
    source or codes that cannot be used.
    """
    editing = request.editing
    codes = _codes(editing)
    task_type = "cover" if codes and editing.task_type == "text2music" else editing.task_type
    guide = CODES if codes else _GUIDES[task_type]
    source, shift = _source(editing, task_type, longest) if guide in (SOURCE, MELODY) else (None, 0.0)
    seconds = _seconds(request, source, codes)
    frames = len(codes) * FRAMES_PER_CODE if codes else math.ceil(seconds * FRAMES_PER_SECOND)
    if source is not None:
        frames = source.samples.shape[1] // SAMPLES_PER_FRAME
    instruction = _instruction(editing, task_type)
    told = replace(request, caption=stems_caption(request, instruction)) if stems else request
    return Brief(
        text=conditioned_text(told, instruction, seconds),
        plain_text=conditioned_text(request, TASKS["text2music"].unnamed, seconds),
        lyrics=f"# Languages\n{request.vocal_language}\n\n# Lyric\n{request.lyrics}<|endoftext|>",
        frames=frames,
        guide=guide,
        codes=codes,
        source=source,
        reference=None if editing.reference is None else stereo(editing.reference),
        span=_span(editing, frames, shift) if task_type in _WITH_SPAN else None,
        repainting=_repainting(editing) if task_type == "repaint" else None,
        cover_strength=editing.audio_cover_strength if task_type in _COVERS else 1.0,
        noise_strength=editing.cover_noise_strength if task_type in _COVERS else 0.0,
    )


def stems_caption(request: GenerationRequest, instruction: str) -> str:
    """Spell the caption of a model that was trained on tracks: the whole song's (`global_caption`), but not for a
    segment of a track, the track's own, and whether the span is the caller's (`chunk_mask_mode` explicit)."""
    editing = request.editing
    whole = "" if "a segment" in instruction.lower() else f"Global: {editing.global_caption}\n"
    explicit = str(editing.chunk_mask_mode != "auto").lower()
    return f"{whole}Local: {request.caption}\nMask Control: {explicit}"


def unused(request: GenerationRequest, *, stems: bool) -> tuple[str, ...]:
    """Say which text the model was never taught to read."""
    if stems or not request.editing.global_caption.strip():
        return ()
    return ("global_caption has no effect: this model was not trained on tracks beside a caption of the whole song",)


def conditioned_text(request: GenerationRequest, instruction: str, seconds: float) -> str:
    """Spell what the text encoder reads: instruction, caption and metas, "N/A" for a meta that is open."""
    colon = "" if instruction.endswith(":") else ":"
    length = int(seconds) if seconds > 0 else 30
    return (
        f"# Instruction\n{instruction}{colon}\n\n# Caption\n{request.caption}\n\n# Metas\n"
        f"- bpm: {request.bpm or 'N/A'}\n- timesignature: {request.time_signature.strip() or 'N/A'}\n"
        f"- keyscale: {request.key_scale.strip() or 'N/A'}\n- duration: {length} seconds\n<|endoftext|>\n"
    )


def stereo(clip: Clip) -> Clip:
    """Give `clip` two channels."""
    return clip if clip.samples.shape[0] == 2 else Clip(np.repeat(clip.samples, 2, axis=0), clip.sample_rate)


def _codes(editing: Editing) -> tuple[int, ...]:
    """The audio codes of a request. Raises InputError when the text holds something else, or they fit no task."""
    given = editing.audio_code_string.strip()
    if not given:
        return ()
    codes = tuple(int(number) for number in _CODE.findall(given))
    if not codes or _CODE.sub("", given).strip() or max(codes) > MOST_CODE:
        allowed = f"must hold only <|audio_code_N|> with N from 0 to {MOST_CODE}"
        raise InputError([FieldProblem("audio_code_string", repr(given[:60]), allowed)])
    if editing.task_type not in ("text2music", "cover"):
        raise InputError(
            [FieldProblem("audio_code_string", f"{len(codes)} codes", f"must be empty with {editing.task_type}")]
        )
    return codes


def _instruction(editing: Editing, task_type: str) -> str:
    """The caller's own instruction, else the task's."""
    named = track_instruction(task_type, editing.track_name, editing.track_classes)
    return editing.instruction.strip() or named or TASKS[task_type].unnamed


def _seconds(request: GenerationRequest, source: Clip | None, codes: tuple[int, ...]) -> float:
    """The length that the text names: as asked, but a source or codes have a length of their own."""
    if codes:
        return len(codes) * FRAMES_PER_CODE / FRAMES_PER_SECOND
    return request.duration if source is None else source.seconds


def _source(editing: Editing, task_type: str, longest: float) -> tuple[Clip, float]:
    """The source and by how many seconds it starts later: silence is added where a span reaches beyond it."""
    clip = editing.source
    if clip is None:
        raise InputError([FieldProblem("src_audio_path", "nothing", f"must name the source audio for {task_type}")])
    clip = stereo(clip)
    end = editing.repainting_end if editing.repainting_end is not None else clip.seconds
    reaches = task_type in _WITH_SPAN
    before, after = (max(0.0, -editing.repainting_start), max(0.0, end - clip.seconds)) if reaches else (0.0, 0.0)
    if before + clip.seconds + after > longest:
        whole, allowed = before + clip.seconds + after, f"must keep the whole within {longest:g} seconds"
        raise InputError([FieldProblem("repainting_end" if after else "src_audio_path", f"{whole:.1f} s", allowed)])
    around = ((0, 0), (int(before * SAMPLE_RATE), int(after * SAMPLE_RATE)))
    whole_clip = Clip(np.pad(clip.samples, around)) if before or after else clip
    if whole_clip.samples.shape[1] < FRAMES_PER_CODE * SAMPLES_PER_FRAME:
        raise InputError([FieldProblem("src_audio_path", f"{clip.seconds:.2f} s", "must last at least 0.2 seconds")])
    return whole_clip, before


def _span(editing: Editing, frames: int, shift: float) -> tuple[int, int]:
    """The frames that are made new, at least one, within the source as it was lengthened."""
    end = editing.repainting_end
    first = min(int((editing.repainting_start + shift) * FRAMES_PER_SECOND), frames - 1)
    last = frames if end is None else min(int((end + shift) * FRAMES_PER_SECOND), frames)
    return first, max(first + 1, last)


def _repainting(editing: Editing) -> Repainting:
    """What a mode and its strength stand for; upstream's numbers. A crossfade that the caller names is taken."""
    loosened = {"aggressive": 1.0, "conservative": 0.0}.get(editing.repaint_mode, editing.repaint_strength)
    firmness = 1.0 - loosened
    named_frames = editing.repaint_latent_crossfade_frames
    frames = round(_MOST_CROSSFADE_FRAMES * firmness) if named_frames == _DEFAULT_CROSSFADE_FRAMES else named_frames
    return Repainting(
        held=firmness,
        crossfade_frames=frames,
        crossfade_seconds=editing.repaint_wav_crossfade_sec or _MOST_CROSSFADE_SECONDS * firmness,
        spliced=editing.repaint_mode != "aggressive",
    )
