"""What is sent to make a song? The guide's payload or keyword fields become the body of `/run`, checked before it goes.

A payload with `input` is the whole job body (`webhook`, `policy` and `s3Config` beside it), any other one is the input.
A Path in place of audio is read and sent as base64; a Song is named by its file.
"""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acestep_serverless.client.songs import Song
from acestep_serverless.contract.job import RUN_BODY_LIMIT, load_client_json, parse_job_body
from acestep_serverless.contract.music import parse_music_input
from acestep_serverless.errors import FieldProblem, InputError, TooLarge

LARGEST_SOURCE = RUN_BODY_LIMIT * 3 // 4
"""Bytes of a file that still fits the body of `/run` as base64."""

ELSEWHERE = "give it as an https URL or as the file of an earlier job"


def job_body(
    payload: Mapping[str, Any] | None,
    fields: Mapping[str, Any],
    beside: Mapping[str, Any],
    *,
    check: bool = True,
) -> bytes:
    """Build the body of `/run` as JSON. `beside` holds webhook, policy and s3Config, of which None is left out.

    Reads the files that are given as paths. With `check` the input must be one that the handler takes; without, it goes
    as it is. Raises InputError naming every wrong field, and TooLarge.
    """
    given = dict(payload or {})
    body: dict[str, Any] = dict(given) if "input" in given else {"input": given}
    body["input"] = _with_fields(body["input"], fields)
    twice = [name for name, value in beside.items() if value is not None and name in body]
    if twice:
        raise InputError([FieldProblem(twice[0], "two values", "must be given once: in the payload or beside it")])
    body |= {name: value for name, value in beside.items() if value is not None}
    encoded = _encoded(body)
    if check:
        _check(encoded)
    if len(encoded) > RUN_BODY_LIMIT:
        raise TooLarge(f"the request has {len(encoded):,} bytes, /run takes {RUN_BODY_LIMIT:,}: of audio, {ELSEWHERE}")
    return encoded


def _with_fields(given: object, fields: Mapping[str, Any]) -> object:
    if not isinstance(given, Mapping):
        if fields:
            raise InputError([FieldProblem("input", type(given).__name__, "must be an object where fields are given")])
        return given
    twice = [name for name in fields if name in given]
    if twice:
        raise InputError([FieldProblem(twice[0], "two values", "must be given once: in the payload or as a field")])
    return {name: _sendable(name, value) for name, value in {**given, **fields}.items()}


def _sendable(name: str, value: object) -> object:
    if isinstance(value, Song):
        return value.url or value.file
    return _read(name, value) if isinstance(value, Path) else value


def _read(name: str, path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > LARGEST_SOURCE:
            raise InputError(
                [FieldProblem(name, f"{size:,} bytes", f"may be a file of {LARGEST_SOURCE:,}: {ELSEWHERE}")]
            )
        return base64.b64encode(path.read_bytes()).decode("ascii")
    except OSError as error:
        raise InputError(
            [FieldProblem(name, str(path), f"must be a file that can be read ({error.strerror})")]
        ) from None


def _encoded(body: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(body, allow_nan=False).encode()  # A lone surrogate, for the check or the endpoint to judge.
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError([FieldProblem("input", str(error)[:80], "must be something that JSON can hold")]) from None


def _check(encoded: bytes) -> None:
    """Read what will be sent as the endpoint will, and its input as the handler will."""
    parse_music_input(parse_job_body(load_client_json(encoded)).input)
