"""What did the upstream server answer, and where do we answer otherwise on purpose? Forty exchanges and one table.

The exchanges are those of its commit f30aee4 (8 February 2026), recorded on loopback, in our own short form: what was
sent, and of the answer its status and what clients can see of its shape. `{done}` and the like stand for the ids of
tasks, `{song}` for a song's `file`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Difference:
    """Where our answer is another one: what upstream does, what we do, and why."""

    upstream: str
    ours: str
    why: str


DIFFERENCES: Mapping[str, Difference] = {
    "unknown task": Difference(
        'status 0 and `"[]"`, for ever',
        "status 2, and an item whose `error` says that the id is not known",
        "pollers without a limit hang; every client reads status 2",
    ),
    "failed task": Difference(
        "no reason in the item; a traceback in `progress_text`",
        "`error` is one sentence, `progress_text` the task's own stage",
        "the reason is for its caller, tracebacks, paths and other tasks' log lines are for nobody",
    ),
    "seed": Difference(
        "`seed` has no effect",
        "seeds of the request are used, with `use_random_seed=false`; the missing ones are drawn",
        "newer servers do so, and the same seed should give the same song",
    ),
    "env": Difference('`env` is "development"', '`env` is "production"', "it is none; no client reads it"),
    "language": Difference(
        '`vocal_language` is "en" unless given, and detected',
        '`vocal_language` is "unknown" unless given, which asks for the same',
        "a song without a language is not an English one",
    ),
    "audio by path": Difference(
        "`path` is an absolute path of the server; 404 for one that is not there",
        "`path` is the name of a song; 403 for everything that is no such name",
        "no path of this machine is told or taken",
    ),
    "audio by filename": Difference(
        "422, `path` is required", "`filename` is another word for `path`", "clients' own documents use it"
    ),
    "audio folder": Difference("500 and `text/plain`", "403", "no request may end in a crash"),
    "audio HEAD": Difference("405", "200 with the size", "download tools ask first"),
    "wrong types": Difference(
        "numbers that are none fall to their defaults, in silence",
        "400 naming every field; with `lenient` the defaults, named in the song's warnings",
        "a song of another length or tempo than the one asked for is no answer",
    ),
    "malformed JSON": Difference("500 and `text/plain`", "400 `Malformed JSON payload`", "as newer servers do"),
    "unknown words": Difference("500 and `text/plain`", "400 naming the field", "the client can mend it"),
    "forms": Difference("500 for every form", "forms are read", "as newer servers do"),
    "uploads": Difference(
        "500, and the file is left behind",
        "files are taken; one that is no sound is refused with 400 and removed",
        "as newer servers do, with a look into the file before the task is queued",
    ),
    "paths of the server": Difference(
        "every file that the process may read is handed to the decoder",
        "400; a song's `file` names a song of this server, other sounds are uploaded",
        "a request must not read this machine's files",
    ),
    "no language model": Difference(
        "the task is queued, and fails with a traceback",
        "400 at `/release_task`; with `lenient` it is left out, and the song's warnings say so",
        "the refusal comes before the waiting",
    ),
}
"""The one table: the documents show it, the replay is judged by it."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One recorded exchange.

    `shape` are dotted places in the answer that are there, or PLACE=JSON for one with that value, or PLACE~WORDS for
    a text that holds these; a `result` is read.
    `effective` is what reached the generator. Where `agreed` names differences, ours are `our_...`.
    """

    name: str
    method: str
    path: str
    status: int
    shape: tuple[str, ...] = ()
    sent: Mapping[str, Any] = field(default_factory=dict)
    effective: Mapping[str, Any] = field(default_factory=dict)
    agreed: tuple[str, ...] = ()
    our_status: int = 0
    our_shape: tuple[str, ...] = ()
    our_effective: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    small: bool = False
    """Whether the server has no language model."""


ENVELOPE = ("data", "code=200", "error=null", "timestamp", "extra=null")
QUEUED = (*ENVELOPE, "data.task_id", 'data.status="queued"', "data.queue_position=1")
JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}
ITEM = "file wave status create_time env prompt lyrics metas"
SONG = f"{ITEM} generation_info seed_value lm_model dit_model progress stage"
METAS = ("bpm", "duration", "genres", "keyscale", "timesignature")
CLOSED = {"api_key": "sk-test", "queue_maximum": 1}
PLAIN = {"prompt": "x", "batch_size": 1, "use_cot_caption": False, "use_cot_language": False}


def release(name: str, body: Any, **more: Any) -> Exchange:
    """An order in JSON that was queued."""
    return Exchange(name, "POST", "/release_task", 200, QUEUED, {"json": body}, **more)


def raw(name: str, body: str, headers: Mapping[str, str], status: int, detail: str = "", **more: Any) -> Exchange:
    """A body as it stands; `detail` is the sentence of the refusal."""
    shape = (f'detail="{detail}"',) if detail else ()
    return Exchange(name, "POST", "/release_task", status, shape, {"content": body, "headers": headers}, **more)


def query(name: str, ids: Any, *shape: str, sent: Any = None, **more: Any) -> Exchange:
    """A question about tasks."""
    given = sent or {"json": {"task_id_list": ids}}
    return Exchange(name, "POST", "/query_result", 200, (*ENVELOPE, *shape), given, **more)


def audio(name: str, path: str, status: int, *shape: str, method: str = "GET", **more: Any) -> Exchange:
    """A question for a file."""
    return Exchange(name, method, path, status, shape, **more)


def places(at: str, names: str) -> tuple[str, ...]:
    """Places under one place."""
    return tuple(f"{at}.{name}" for name in names.split())


DONE_SHAPE = (
    "data.0.status=1",
    "data.0.progress_text",
    *places("data.0.result.0", SONG),
    *places("data.0.result.0.metas", " ".join((*METAS, "prompt", "lyrics"))),
    "data.0.result.0.progress=1.0",
    'data.0.result.0.stage="succeeded"',
)
MODEL = "id name created input_modalities output_modalities context_length max_output_length pricing description"

EXCHANGES = (
    Exchange(
        "health", "GET", "/health", 200,
        (*ENVELOPE, 'data.status="ok"', 'data.service="ACE-Step API"', 'data.version="1.0"'),
    ),
    Exchange("models", "GET", "/v1/models", 200, ('object="list"', *places("data.0", f"{MODEL} architecture"))),
    Exchange(
        "stats", "GET", "/v1/stats", 200,
        (*ENVELOPE, *places("data.jobs", "total=0 queued=0 running=0 succeeded=0 failed=0"),
         *places("data", "queue_size=0 queue_maxsize=200 avg_job_seconds=5.0")),
    ),
    release(
        "release json minimal",
        {"caption": "upbeat pop", "lyrics": "[Verse]\nhello", "duration": 30, "batch_size": 1},
        effective={"caption": "upbeat pop", "lyrics": "[Verse]\nhello", "duration": 30.0},
    ),
    release(
        "release json second (queued behind first)",
        {"prompt": "slow piano", "batch_size": 2, "use_random_seed": False, "seed": 1234, "thinking": True},
        effective={"caption": "slow piano"},
    ),
    query(
        "query running+queued+unknown", ["{held}", "{waiting}", "no-such-task"],
        "data.0.status=0", *places("data.0.result.0", 'file="" wave="" status=0 create_time env progress stage'),
        "data.1.status=0", *places("data.1.result.0", f'{ITEM} progress=0.0 stage="queued" error=null'),
        'data.2.task_id="no-such-task"', "data.2.status=0", "data.2.result=[]",
        agreed=("unknown task",),
        our_shape=("data.0.status=0", "data.1.status=0", "data.2.status=2", "data.2.result.0.error"),
    ),
    query(
        "query succeeded, list form", ["{done}"], *DONE_SHAPE, 'data.0.result.0.env="development"',
        agreed=("env",), our_shape=(*DONE_SHAPE, 'data.0.result.0.env="production"'),
    ),
    query(
        "query succeeded, JSON-string form body", None, *DONE_SHAPE, sent={"data": {"task_id_list": '["{done}"]'}}
    ),
    query(
        "query succeeded batch 2 with requested seed (seed ignored)", ["{pair}"],
        *DONE_SHAPE, "data.0.result.1.file", 'data.0.result.0.seed_value="2395300942,4265686934"',
        agreed=("seed",), our_shape=(*DONE_SHAPE, "data.0.result.1.file", 'data.0.result.0.seed_value="1234,1000"'),
    ),
    audio("audio ok", "{song}", 200, "accept-ranges=bytes", "content-type=audio/mpeg", "etag", "last-modified"),
    audio("audio wav ok", "{wave}", 200, "accept-ranges=bytes", "content-type=audio/wav", "etag", "last-modified"),
    audio(
        "audio range", "{song}", 206, "content-length=10", "content-range",
        sent={"headers": {"Range": "bytes=0-9"}},
    ),
    audio(
        "audio missing file inside dir", "/v1/audio?path={folder}/none.mp3", 404, 'detail="Audio file not found"',
        agreed=("audio by path",), our_status=403, our_shape=("detail", "error"),
    ),
    audio(
        "audio outside dir", "/v1/audio?path=/etc/passwd", 403,
        'detail="Access denied: path outside allowed directory"',
    ),
    audio(
        "audio filename param", "/v1/audio?filename={name}", 422, "detail.0.type",
        agreed=("audio by filename",), our_status=200, our_shape=("accept-ranges=bytes",),
    ),
    audio(
        "audio directory itself", "/v1/audio?path={folder}", 500,
        agreed=("audio folder",), our_status=403, our_shape=("detail",),
    ),
    audio(
        "audio HEAD", "{song}", 405, "allow=GET", method="HEAD",
        agreed=("audio HEAD",), our_status=200, our_shape=("content-length",),
    ),
    release(
        "release camelCase aliases",
        {"caption": "c", "audioDuration": 45, "keyScale": "C major", "timeSignature": "3", "vocalLanguage": "fr",
         "inferenceSteps": 12, "guidanceScale": 5, "useRandomSeed": "0", "taskType": "text2music", "batchSize": 3,
         "batch_size": 1, "bpm": "128", "use_cot_caption": False, "use_cot_language": False},
        effective={
            "caption": "c", "lyrics": "", "bpm": 128, "key_scale": "C major", "time_signature": "3",
            "vocal_language": "fr", "duration": 45.0, "sampling.inference_steps": 12, "sampling.shift": 3.0,
            "editing.task_type": "text2music", "editing.repainting_start": 0.0,
            "editing.instruction": "Fill the audio semantic mask based on the given conditions:",
        },
    ),
    release(
        "release nested metas",
        {**PLAIN, "metas": {
            "bpm": 90, "keyscale": "D minor", "timesignature": "6", "duration": 20, "language": "de"}},
        effective={"bpm": 90, "key_scale": "D minor", "time_signature": "6", "vocal_language": "de", "duration": 20.0},
    ),
    release(
        "release param_obj string + metadata",
        {**PLAIN, "param_obj": '{"duration":33,"bpm":77,"key":"E minor"}',
         "user_metadata": '{"bpm":99,"timesignature":"2"}'},
        effective={
            "bpm": 77, "key_scale": "E minor", "time_signature": "2", "duration": 33.0, "vocal_language": "en"},
        agreed=("language",),
        our_shape=QUEUED,
        our_effective={
            "bpm": 77, "key_scale": "E minor", "time_signature": "2", "duration": 33.0, "vocal_language": "unknown"},
    ),
    release(
        "release wrong types (lenient numbers)",
        {"prompt": 5, "bpm": "fast", "inference_steps": "lots", "audio_duration": "long", "batch_size": "one",
         "guidance_scale": "x", "use_cot_caption": False, "use_cot_language": False},
        agreed=("wrong types",), our_status=400, our_shape=("detail", "error"),
    ),
    release("release missing prompt (empty object)", {}, effective={"lyrics": ""}),
    raw("release bad JSON", '{"prompt": ', JSON, 500,
        agreed=("malformed JSON",), our_status=400, our_shape=('detail="Malformed JSON payload"',)),
    raw("release JSON array", "[1]", JSON, 400, "JSON payload must be an object"),
    raw("release unsupported content type", "hello", TEXT, 415,
        "Unsupported Content-Type: text/plain; use application/json, application/x-www-form-urlencoded, or "
        "multipart/form-data"),
    raw("release bad JSON with text/plain", '{"prompt":', TEXT, 400,
        "Invalid JSON body (hint: set 'Content-Type: application/json')"),
    Exchange(
        "release lm_backend invalid", "POST", "/release_task", 500, (), {"json": {"prompt": "x", "lm_backend": "gguf"}},
        agreed=("unknown words",), our_status=400, our_shape=("detail",),
    ),
    Exchange(
        "release urlencoded form", "POST", "/release_task", 500, (),
        {"data": {"caption": "form", "thinking": "1", "bpm": "100", "batch_size": "1"}},
        agreed=("forms",), our_status=200, our_shape=QUEUED,
        our_effective={"caption": "form", "bpm": 100, "planning.thinking": True},
    ),
    Exchange(
        "release multipart with file", "POST", "/release_task", 500, (),
        {"data": {"task_type": "cover", "prompt": "mp", "batch_size": "1"},
         "files": {"src_audio": ("in.wav", b"RIFFxxxx")}},
        agreed=("uploads",), our_status=400, our_shape=("detail", "error"),
    ),
    release(
        "release absolute src_audio_path",
        {"task_type": "repaint", "prompt": "x", "src_audio_path": "/etc/hostname", "batch_size": 1,
         "repainting_end": 0},
        agreed=("paths of the server",), our_status=400, our_shape=("detail", "error"),
    ),
    query(
        "query result of full_analysis_only", ["{heard}"],
        "data.0.status=1", 'data.0.result.0.status_message="Full Hardware Analysis Success"',
        *places("data.0.result.0", "bpm keyscale timesignature duration genre prompt lyrics language metas"),
        "data.0.result.0.audio_paths=[]",
    ),
    query(
        "query failed (disk cache)", ["{failed}"],
        "data.0.status=2", *places("data.0.result.0", 'file="" wave="" status=2 create_time env progress'),
        'data.0.result.0.stage="failed"',
        "data.0.progress_text~Traceback (most recent call last)",
        agreed=("failed task",),
        our_shape=("data.0.status=2", 'data.0.result.0.error="out of memory"', 'data.0.progress_text="failed"'),
    ),
    # What was recorded is the question about the task that had been accepted; ours has no task to ask about.
    release(
        "query failed: thinking without LM (job store)", {"prompt": "x", "thinking": True, "batch_size": 1},
        agreed=("no language model",), our_status=400, our_shape=("detail", "error"), small=True,
    ),
    query(
        "query succeeded (job store)", ["{pair}"],
        "data.0.status=1", "data.0.progress_text", *places("data.0.result.0", ITEM), *places("data.0.result.1", ITEM),
        *places("data.0.result.0.metas", " ".join(METAS)),
    ),
    query("query no list", None, "data=[]", sent={"json": {}}),
    Exchange(
        "create_random_sample simple", "POST", "/create_random_sample", 200,
        (*ENVELOPE, *places("data", "description instrumental vocal_language")), {"json": {}},
    ),
    Exchange(
        "format_input", "POST", "/format_input", 200,
        (*ENVELOPE, *places("data", "caption lyrics bpm key_scale time_signature duration vocal_language")),
        {"json": {"prompt": "pop rock", "lyrics": "Walking", "param_obj": '{"duration":180,"language":"en"}'}},
    ),
    Exchange(
        "auth missing on release", "POST", "/release_task", 401,
        ('detail="Missing ai_token or Authorization header"',), {"json": {"prompt": "x"}}, settings=CLOSED,
    ),
    Exchange(
        "auth wrong ai_token", "POST", "/release_task", 401, ('detail="Invalid ai_token"',),
        {"json": {"prompt": "x", "ai_token": "bad"}}, settings=CLOSED,
    ),
    Exchange(
        "queue full", "POST", "/release_task", 429, ('detail="Server busy: queue is full"',),
        {"json": {"prompt": "x", "batch_size": 1, "ignored": "{held}{waiting}"},
         "headers": {"Authorization": "Bearer sk-test"}},
        settings=CLOSED,
    ),
)  # fmt: skip
"""In the order they were recorded."""
