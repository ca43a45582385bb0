"""How does a chat become a task, and a task a chat's answer? The OpenRouter shape of `/v1/chat/completions`.

The last message of the user is the request. Text with `<prompt>` or `<lyrics>` tags is split by them; untagged text
with section marks such as "[Verse]", or with four short lines, is lyrics; any other is a description.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError

MOST_MESSAGES = 1000
MOST_SOUNDS = 2
SHORT_LINE = 80
LINES_OF_LYRICS = 4

# Each looks at a character once or twice: a text may have millions of them.
_TAGS = {name: (re.compile(f"<{name}>", re.I), re.compile(f"</{name}>", re.I)) for name in ("prompt", "lyrics")}
_SECTION = re.compile(r"(?im)^[ \t]*\[(intro|verse|chorus|bridge|outro|hook|pre-chorus|refrain|inst)")
_CONFIG = {
    "duration": "audio_duration",
    "format": "audio_format",
    "bpm": "bpm",
    "key_scale": "key_scale",
    "time_signature": "time_signature",
    "vocal_language": "vocal_language",
}
_RENAMED = {"temperature": "lm_temperature", "top_p": "lm_top_p", "top_k": "lm_top_k"}
_SAME = """
    model thinking guidance_scale inference_steps lyrics sample_mode use_format use_cot_caption use_cot_language
    task_type repainting_start repainting_end audio_cover_strength
"""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat's request: `parameters` as `/release_task` names them, the free `description` ("" when the text was
    something else), up to two sounds in base64, and whether the answer is streamed."""

    parameters: Mapping[str, Any]
    description: str
    sounds: tuple[str, ...]
    streams: bool
    model: str


def read_chat(body: Mapping[str, Any]) -> Chat:
    """Read a chat's body. Raises InputError for what is no chat; parameters are judged by `/release_task`'s table."""
    content = _last_message(body.get("messages"))
    texts, sounds = _content(content)
    if not sounds and not "".join(texts).strip():
        raise _wrong("messages", content, "the user's last message must hold text or audio")
    config = body.get("audio_config") or {}
    if not isinstance(config, Mapping):
        raise _wrong("audio_config", config, "must be an object")
    parameters: dict[str, Any] = {name: body[name] for name in _SAME.split() if body.get(name) is not None}
    parameters |= {name: body[given] for given, name in _RENAMED.items() if body.get(given) is not None}
    parameters |= {name: config[given] for given, name in _CONFIG.items() if config.get(given) is not None}
    parameters["batch_size"] = 1 if body.get("batch_size") is None else body["batch_size"]
    if body.get("seed") is not None:
        parameters |= {"seed": body["seed"], "use_random_seed": False}
    words, description = _words("\n".join(texts), has_lyrics=bool(parameters.get("lyrics")))
    if config.get("instrumental") is True:
        words = {**words, "lyrics": "[Instrumental]"}
    model = body.get("model")
    return Chat({**parameters, **words}, description, sounds, body.get("stream") is True, str(model or ""))


def _last_message(messages: Any) -> Any:
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        raise _wrong("messages", messages, f"must be an array of 1 to {MOST_MESSAGES:,} messages")
    said = [message for message in messages if isinstance(message, dict) and message.get("role") == "user"]
    if not said:
        raise _wrong("messages", messages, "must hold a message whose role is user")
    return said[-1].get("content")


def _content(content: Any) -> tuple[list[str], tuple[str, ...]]:
    """The texts and sounds of a message: a text, or an array of parts."""
    if isinstance(content, str):
        return [content], ()
    if not isinstance(content, list):
        raise _wrong("messages", content, "content must be a text or an array of parts")
    texts, sounds = [], []
    for part in content:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind == "input_audio" and isinstance(part.get("input_audio"), dict):
            sounds.append(_base64_text(part["input_audio"].get("data")))
        else:
            raise _wrong("messages", part, "a part must be text or input_audio")
    if len(sounds) > MOST_SOUNDS:
        raise _wrong("messages", content, f"at most {MOST_SOUNDS} sounds are taken")
    return texts, tuple(sounds)


def _base64_text(data: Any) -> str:
    if not isinstance(data, str) or not data:
        raise _wrong("input_audio", data, "data must be base64")
    return data.partition(",")[2] if data.startswith("data:") else data


def _words(text: str, *, has_lyrics: bool) -> tuple[dict[str, str], str]:
    """Caption and lyrics as far as the text says which is which, and what is left as a description."""
    tagged = _tagged(text)
    if tagged:
        return tagged, ""
    text = text.strip()
    if has_lyrics:
        return {"prompt": text}, ""
    lines = [line for line in text.splitlines() if line.strip()]
    short = len(lines) >= LINES_OF_LYRICS and all(len(line) <= SHORT_LINE for line in lines)
    return ({"lyrics": text}, "") if short or _SECTION.search(text) else ({}, text)


def _tagged(text: str) -> dict[str, str]:
    """What stands between the first tag of each name and its end."""
    found = {}
    for name, (opening, closing) in _TAGS.items():
        start = opening.search(text)
        end = closing.search(text, start.end()) if start else None
        if start and end:
            found[name] = text[start.end() : end.start()].strip()
    return found


def content_of(item: Mapping[str, Any]) -> str:
    """Tell in markdown what a song is, from its item in a `result`."""
    metas = item["metas"]
    rows = {
        "Caption": item["prompt"],
        "BPM": metas.get("bpm"),
        "Duration": f"{metas.get('duration')} s",
        "Key Scale": metas.get("keyscale"),
        "Time Signature": metas.get("timesignature"),
        "Engine": item.get("engine"),
    }
    listed = "\n".join(f"**{name}:** {value}" for name, value in rows.items())
    lyrics = f"\n\n## Lyrics\n{item['lyrics']}" if item["lyrics"] else ""
    warnings = "".join(f"\n- {sentence}" for sentence in item.get("warnings", ()))
    return f"## Metadata\n{listed}{lyrics}" + (f"\n\n## Warnings{warnings}" if warnings else "")


def audio_parts(urls: Sequence[str]) -> list[dict[str, object]]:
    """Give the `audio` of a message: one part a song, with a data URL or an address on this server."""
    return [{"type": "audio_url", "audio_url": {"url": url}} for url in urls]


def completion(chat_id: str, model: str, created: int, content: str, urls: Sequence[str]) -> dict[str, object]:
    """Give the whole answer to a chat that is not streamed; `created` is in seconds since 1970."""
    message = {"role": "assistant", "content": content, "audio": audio_parts(urls)}
    return {
        "id": chat_id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def chunk(
    chat_id: str, model: str, created: int, delta: Mapping[str, object], finish: str | None = None
) -> dict[str, object]:
    """Give one piece of a streamed answer."""
    return {
        "id": chat_id,
        "object": "chat.completion.chunk",
        "created": created,
        "model": model,
        "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish}],
    }


def _wrong(field: str, given: object, allowed: str) -> InputError:
    return InputError([FieldProblem(field, shown(given), allowed)])
