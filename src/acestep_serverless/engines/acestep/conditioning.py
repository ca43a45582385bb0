"""What does the model hear of a request? Words, timbre and source become the states and context that lead the walk.

Follows diffusers' AceStepPipeline: captions go through the whole text encoder, lyrics only through its embeddings and
then the lyric encoder; a reference gives its timbre from ten seconds each of its beginning, middle and end. What
several songs of a batch share is worked out once. Chance (the codec's latents) comes from each song's own seed.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from acestep_serverless.audio.clip import Clip
from acestep_serverless.engines.acestep.codec import Codec, Heard
from acestep_serverless.engines.acestep.denoising import Condition, Prepared
from acestep_serverless.engines.acestep.tasks import CODES, FRAMES_PER_SECOND, MELODY, SAMPLES_PER_FRAME, Brief

TEXT_TOKENS, LYRIC_TOKENS = 256, 2048
"""How much of both texts the model reads."""

_SEGMENT_FRAMES, _SEGMENTS = 10 * FRAMES_PER_SECOND, 3
# The codec's draw must not repeat the numbers of the song's first noise, which come from the bare seed.
_SALT = 0x5EED


@dataclass(frozen=True, slots=True)
class _Sounds:
    """What was encoded for a batch, by the identity of the briefs' clips."""

    sources: dict[int, Heard]
    references: dict[int, Heard]


class Conditioner:
    """Prepares songs. `parts` are the model's modules by the names that AceStepPipeline gives them.

    Call its methods inside `torch.inference_mode()`.
    """

    def __init__(self, parts: Any, codec: Codec) -> None:
        self._parts, self._codec = parts, codec
        self._silent_timbre: torch.Tensor | None = None

    @property
    def free(self) -> torch.Tensor:
        """The states of no words, `[1, width]`."""
        return self._parts.condition_encoder.null_condition_emb[0]

    def prepare(self, briefs: Sequence[Brief], seeds: Sequence[int]) -> list[Prepared]:
        """Prepare one song for each brief and its seed."""
        sounds = self._encode(briefs)
        texts = self._texts([text for brief in briefs for text in (brief.text, brief.plain_text)])
        lyrics = self._lyrics([brief.lyrics for brief in briefs])
        made = []
        for brief, seed in zip(briefs, seeds, strict=True):
            chance = torch.Generator().manual_seed(seed ^ _SALT)
            source, shown = self._guide(brief, sounds, chance)
            around = [lyrics[brief.lyrics], self._timbre(brief, sounds, chance)]
            states = [torch.cat([*around, texts[text]]) for text in (brief.text, brief.plain_text)]
            made.append(self._prepared(brief, seed, states, source, shown))
        return made

    def unread(self, brief: Brief) -> tuple[str, ...]:
        """Say which text lies beyond what the model reads."""
        texts = (("caption", brief.text, TEXT_TOKENS), ("lyrics", brief.lyrics, LYRIC_TOKENS))
        counts = [(name, len(self._parts.tokenizer(text).input_ids), limit) for name, text, limit in texts]
        return tuple(
            f"{name}: the model reads {limit} tokens of this text, {count - limit} more were not read"
            for name, count, limit in counts
            if count > limit
        )

    def codes(self, clip: Clip) -> tuple[int, ...]:
        """Hear the audio codes of a stereo clip, five a second, from the mean of the codec's latents."""
        latents = self._codec.encode(torch.from_numpy(clip.samples)).mean
        _, indices = self._tokenize(latents)
        return tuple(indices[0, :, 0].tolist())

    def _prepared(
        self, brief: Brief, seed: int, states: list[torch.Tensor], source: torch.Tensor | None, shown: torch.Tensor
    ) -> Prepared:
        silence = self._silence(brief.frames)
        mask = _mask(brief, shown)
        lets_go = brief.cover_strength < 1.0
        return Prepared(
            seed=seed,
            frames=brief.frames,
            led=Condition(states[0], torch.cat([shown, mask], dim=1)),
            plain=Condition(states[1], torch.cat([silence, mask], dim=1)) if lets_go else None,
            cover_strength=brief.cover_strength,
            source=source,
            noise_strength=brief.noise_strength,
            span=brief.span,
            repainting=brief.repainting,
        )

    def _encode(self, briefs: Sequence[Brief]) -> _Sounds:
        """Encode each source and reference of a batch once."""
        sources = {id(brief.source): brief.source for brief in briefs if brief.source is not None}
        references = {id(brief.reference): brief.reference for brief in briefs if brief.reference is not None}
        return _Sounds(
            {key: self._codec.encode(torch.from_numpy(clip.samples)) for key, clip in sources.items()},
            {key: self._codec.encode(_excerpts(clip)) for key, clip in references.items()},
        )

    def _guide(
        self, brief: Brief, sounds: _Sounds, chance: torch.Generator
    ) -> tuple[torch.Tensor | None, torch.Tensor]:
        """The clean source latents, None without one, and what the model is shown, both `[frames, channels]`."""
        if brief.guide == CODES:
            hints = self._from_codes(brief.codes)
            return hints.float(), hints
        if brief.source is None:
            return None, self._silence(brief.frames)
        source = sounds.sources[id(brief.source)].draw(chance)
        shown = source.to(self._dtype)
        if brief.guide == MELODY:
            quantized, _ = self._tokenize(source)
            shown = self._parts.audio_token_detokenizer(quantized.to(self._dtype))[0, : brief.frames]
        if brief.repainting is not None and brief.span is not None:
            start, end = brief.span
            shown = shown.clone()
            shown[start:end] = self._silence(brief.frames)[start:end]
        return source, shown

    def _tokenize(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        silence = self._parts.condition_encoder.silence_latent.to(self._device, self._dtype)
        found: tuple[torch.Tensor, torch.Tensor] = self._parts.audio_tokenizer.tokenize(
            latents[None].to(self._device, self._dtype), silence
        )
        return found

    def _from_codes(self, codes: tuple[int, ...]) -> torch.Tensor:
        indices = torch.tensor(codes, device=self._device)[None, :, None]
        quantized = self._parts.audio_tokenizer.quantizer.get_output_from_indices(indices)
        return self._parts.audio_token_detokenizer(quantized.to(self._dtype))[0]

    def _silence(self, frames: int) -> torch.Tensor:
        """The model's own silence, repeated where it is too short, `[frames, channels]`."""
        silence = self._parts.condition_encoder.silence_latent[0].to(self._device, self._dtype)
        return silence.repeat(math.ceil(frames / len(silence)), 1)[:frames]

    def _timbre(self, brief: Brief, sounds: _Sounds, chance: torch.Generator) -> torch.Tensor:
        """One state of the reference's timbre, `[1, width]`; without a reference that of silence."""
        if brief.reference is not None:
            return self._timbre_of(sounds.references[id(brief.reference)].draw(chance).to(self._dtype))
        if self._silent_timbre is None:
            self._silent_timbre = self._timbre_of(self._silence(_SEGMENTS * _SEGMENT_FRAMES))
        return self._silent_timbre

    def _timbre_of(self, latents: torch.Tensor) -> torch.Tensor:
        order = torch.zeros(1, dtype=torch.long, device=self._device)
        states, _ = self._parts.condition_encoder.timbre_encoder(latents[None].to(self._device), order)
        return states[0]

    def _texts(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """States of each different text, `[tokens, width]`."""
        ids, lengths, different = self._read(texts, TEXT_TOKENS)
        states = self._parts.text_encoder(input_ids=ids.to(self._parts.text_encoder.device)).last_hidden_state
        projected = self._parts.condition_encoder.text_projector(states.to(self._device, self._dtype))
        return {text: projected[row, : lengths[row]] for row, text in enumerate(different)}

    def _lyrics(self, texts: Sequence[str]) -> dict[str, torch.Tensor]:
        """States of each different lyric, `[tokens, width]`."""
        ids, lengths, different = self._read(texts, LYRIC_TOKENS)
        embeddings = self._parts.text_encoder.get_input_embeddings()
        words = embeddings(ids.to(self._parts.text_encoder.device)).to(self._device, self._dtype)
        own = (
            torch.arange(ids.shape[1], device=self._device)[None] < torch.tensor(lengths, device=self._device)[:, None]
        )
        states = self._parts.condition_encoder.lyric_encoder(inputs_embeds=words, attention_mask=own)
        return {text: states[row, : lengths[row]] for row, text in enumerate(different)}

    def _read(self, texts: Sequence[str], most: int) -> tuple[torch.Tensor, list[int], list[str]]:
        """Tokens of the different texts `[texts, tokens]`, padded at their ends, and the tokens of each.

        Padding needs no mask: the text encoder is causal, and a text's own tokens come first.
        """
        different = list(dict.fromkeys(texts))
        tokens = [self._parts.tokenizer(text, truncation=True, max_length=most).input_ids for text in different]
        filler = self._parts.tokenizer.pad_token_id or 0
        rows = [torch.tensor(row) for row in tokens]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=float(filler))
        return ids, [len(row) for row in tokens], different

    @property
    def _device(self) -> torch.device:
        return self._parts.condition_encoder.text_projector.weight.device

    @property
    def _dtype(self) -> torch.dtype:
        return self._parts.condition_encoder.text_projector.weight.dtype


def _mask(brief: Brief, like: torch.Tensor) -> torch.Tensor:
    """One for every frame that is made, zero for what stays, `[frames, channels]`."""
    if brief.span is None:
        return torch.ones_like(like)
    mask = torch.zeros_like(like)
    mask[brief.span[0] : brief.span[1]] = 1.0
    return mask


def _excerpts(clip: Clip) -> torch.Tensor:
    """Ten seconds each from the beginning, the second third and the end of a reference, repeated to 30 s if shorter."""
    samples, segment = torch.from_numpy(clip.samples), _SEGMENT_FRAMES * SAMPLES_PER_FRAME
    whole = samples.repeat(1, max(1, math.ceil(_SEGMENTS * segment / samples.shape[1])))
    starts = (0, whole.shape[1] // _SEGMENTS, max(whole.shape[1] - segment, 0))
    return torch.cat([whole[:, start : start + segment] for start in starts], dim=1)
