"""What can be configured? One frozen value, read once at the start: flags, then environment variables, then a TOML
file.

Variables are the field's name in capitals after `ACESTEP_SERVERLESS_`; the TOML file is `acestep-serverless.toml` in
the working directory, or the one that ACESTEP_SERVERLESS_CONFIG names, with the fields' names as keys.
"""

import base64
import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from acestep_serverless.errors import SettingsError

PREFIX = "ACESTEP_SERVERLESS_"
CONFIG_VARIABLE = f"{PREFIX}CONFIG"
DEFAULT_CONFIG = Path("acestep-serverless.toml")
NAME_OF_WEIGHTS = r"^([A-Za-z0-9][A-Za-z0-9._-]{0,99})?$"
ENDPOINT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
WORKER_SECRETS = frozenset({"worker_key", "acestep_api_key"})
NOT_FOR_WORKERS = frozenset({"host", "port", "api_keys", "endpoints", "rate_limits"})
"""What `for_worker` leaves out, beside secrets: a worker's settings are one endpoint's and open nothing."""


def _base_url(value: str) -> str:
    if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
        raise ValueError("must be a base URL such as http://127.0.0.1:8000")
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_base_url)]
"""The URL below which a server's paths lie; "" for none. Raises ValueError for what is no such URL."""


def _no_truth(settings: type[BaseModel], value: object, info: ValidationInfo) -> object:
    """Refuse true and false where a number is wanted: they would be taken for 1 and 0."""
    if isinstance(value, bool) and _numbers(settings.model_fields[str(info.field_name)]):
        raise ValueError("must be a number")
    return value


class EndpointSettings(BaseModel):
    """What one endpoint of a gateway may have otherwise than the default one; what is unset is as there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int | None = Field(None, ge=0, le=64)
    max_workers: int | None = Field(None, ge=1, le=64)
    idle_timeout_seconds: float | None = Field(None, ge=1, le=86_400)
    scaler: str | None = Field(None, pattern="^(QUEUE_DELAY|REQUEST_COUNT)$")
    scaler_value: int | None = Field(None, ge=1, le=3_600)
    gpus: str | None = Field(None, pattern=r"^([A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*)?$")
    engine: str | None = Field(None, pattern="^(auto|sketch|acestep)$")
    model: str | None = Field(None, pattern=NAME_OF_WEIGHTS)
    planner: str | None = Field(None, pattern=NAME_OF_WEIGHTS)
    acestep_api_url: BaseUrl | None = None
    worker_jobs: int | None = Field(None, ge=1, le=100)
    execution_timeout_seconds: int | None = Field(None, ge=5, le=604_800)
    rate_limits: dict[str, str] | None = None

    _numbers_only = field_validator("*", mode="before")(classmethod(_no_truth))


class Settings(BaseSettings):
    """Everything that can be set, with its default and its meaning. Raises SettingsError through `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    host: str = Field("127.0.0.1", description="address to listen on; anything but loopback needs a key")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data"), description="folder of the database, the audio files and the worker key")
    engine: str = Field(
        "auto", pattern="^(auto|sketch|acestep)$", description="what makes the sound: auto, sketch or acestep"
    )
    models_dir: Path | None = Field(None, description="folder of the acestep engine's weights, looked in first")
    model: str = Field(
        "", pattern=NAME_OF_WEIGHTS, description="which found model the acestep engine loads; unset: acestep-v15-turbo"
    )
    planner: str = Field(
        "auto", pattern=NAME_OF_WEIGHTS, description="its language model: a found one's name, auto (what fits) or none"
    )
    device: str = Field(
        "auto", pattern=r"^(auto|cpu|cuda(:\d{1,2})?)$", description="where it computes: auto, cpu, cuda or cuda:N"
    )
    precision: str = Field(
        "auto",
        pattern="^(auto|bfloat16|float16|float32|int8)$",
        description="in which numbers: auto, bfloat16, float16, float32, or int8 (products on a CPU)",
    )
    offload: str = Field(
        "auto",
        pattern="^(auto|none|parts)$",
        description="auto, none (all of it stays on the GPU) or parts (each comes there to work)",
    )
    compile: str = Field(
        "auto", pattern="^(auto|on|off)$", description="compile the model at its start: auto, on or off"
    )
    workers: int = Field(1, ge=0, le=64, description="worker processes to keep alive on this machine, at least")
    max_workers: int | None = Field(
        None, ge=1, le=64, description="worker processes at most, started as jobs wait; unset means as many as workers"
    )
    idle_timeout_seconds: float = Field(
        60.0, ge=1, le=86_400, description="how long a worker above `workers` may be idle before it is ended"
    )
    scaler: str = Field(
        "QUEUE_DELAY",
        pattern="^(QUEUE_DELAY|REQUEST_COUNT)$",
        description="when to start more workers: QUEUE_DELAY (seconds of waiting) or REQUEST_COUNT (jobs a worker)",
    )
    scaler_value: int = Field(4, ge=1, le=3_600, description="the scaler's number: seconds, or jobs for each worker")
    gpus: str = Field(
        "",
        pattern=r"^([A-Za-z0-9._-]+(,[A-Za-z0-9._-]+)*)?$",
        description="GPUs to share out, one a worker in turn, such as 0,1; unset leaves the choice to the engine",
    )
    endpoint_id: str = Field("ace-step", description="the endpoint's name in URLs: small letters, digits, dashes")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="client keys, separated by commas; KEY opens the endpoint, OTHER-ENDPOINT:KEY opens another one"
    )
    endpoints: dict[str, EndpointSettings] = Field(
        {}, description="further endpoints by name, each with settings of its own (TOML tables)"
    )
    rate_limits: dict[str, str] = Field(
        {},
        description="requests a key may send by operation, such as run = '1000/10 seconds', or 'off' (see api.md)",
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="postgresql://USER:PASSWORD@HOST/NAME for several gateways; unset: a SQLite file in data_dir",
    )
    artifacts_dir: Path | None = Field(
        None, description="folder of the audio files, shared by all gateways of one database; unset: in data_dir"
    )
    worker_key: SecretStr = Field(
        SecretStr(""), description="what workers enrol with; made and kept in the data folder (worker.key) when unset"
    )
    gateway: BaseUrl = Field(
        "", description="worker: base URL of the gateway to work for, such as http://10.0.0.5:8000"
    )
    worker_jobs: int | None = Field(
        None,
        ge=1,
        le=100,
        description="worker: jobs it holds at once; unset: what its engine makes in one batch, and one more",
    )
    acestep_api_url: BaseUrl = Field(
        "", description="worker: drive the ACE-Step API at this URL instead of one in process"
    )
    acestep_api_key: SecretStr = Field(SecretStr(""), description="key of that ACE-Step API, and of acestep-api itself")
    acestep_api_queue: int = Field(
        200, ge=1, le=100_000, description="acestep-api: tasks that may wait; one more is refused with 429"
    )
    acestep_api_timeout_seconds: int = Field(
        3_600, ge=1, le=604_800, description="acestep-api: how long a task may run before it fails"
    )
    lenient: bool = Field(
        False, description="acestep-api: read requests as upstream does, replacing what is not allowed, with warnings"
    )
    adapters_dir: Path | None = Field(
        None,
        description="folder of adapters (LoRA): a worker loads all for jobs to name, acestep-api those it is asked for",
    )
    execution_timeout_seconds: int = Field(
        2_100, ge=5, le=604_800, description="default executionTimeout of jobs: the guide's 1,800 s and delivery"
    )
    retention_hours: float = Field(
        168.0, gt=0, le=8_760, description="how long final jobs and their audio are kept (the platform: 0.5)"
    )
    runsync_retention_hours: float | None = Field(
        None, gt=0, le=8_760, description="the same for jobs of /runsync (the platform: 0.017); unset: retention_hours"
    )
    artifact_limit_mb: int = Field(512, ge=1, le=4_096, description="largest audio file that a worker may hand over")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs webhooks as Standard Webhooks say; unset means unsigned"
    )
    webhook_private: bool = Field(False, description="let webhooks go to private and loopback addresses")
    bucket_private: bool = Field(
        False, description="let a request's s3Config name private and loopback addresses, and http ones"
    )
    source_private: bool = Field(
        False, description="let src_audio and reference_audio be http URLs and lead to private and loopback addresses"
    )
    heartbeat_seconds: int = Field(4, ge=1, le=60, description="time between two signs of life of a worker")
    lease_seconds: int = Field(30, ge=3, le=600, description="how long a silent worker keeps its job")
    drain_seconds: float = Field(5.0, ge=0, le=3_600, description="how long an ending fleet waits for running jobs")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    log_json: bool = Field(False, description="one JSON object a line instead of text")

    _numbers_only = field_validator("*", mode="before")(classmethod(_no_truth))

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return parts
        words = [part.get_secret_value() if isinstance(part, SecretStr) else str(part) for part in parts]
        return tuple(word.strip() for word in words if word.strip())

    @field_validator("endpoints")
    @classmethod
    def _endpoint_names(cls, value: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        for name in value:
            cls._endpoint_name(name)
        return value

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.match(r"postgres(ql)?://", value.get_secret_value()):
            raise ValueError("must begin with postgresql://, or be unset for the SQLite file in data_dir")
        return value

    @field_validator("endpoint_id")
    @classmethod
    def _endpoint_name(cls, value: str) -> str:
        if not ENDPOINT_ID.fullmatch(value):
            raise ValueError("must be 1 to 63 small letters, digits or dashes, starting with a letter or digit")
        return value

    @field_validator("webhook_secret")
    @classmethod
    def _signing_secret(cls, value: SecretStr) -> SecretStr:
        prefix, _, rest = value.get_secret_value().partition("whsec_")
        try:
            base64.b64decode(rest if not prefix else "", validate=True)
        except ValueError:
            raise ValueError("what follows whsec_ must be base64") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        if any("" in keys for keys in self.keys_by_endpoint().values()):
            raise ValueError("api_keys has an empty key after an endpoint's name, which would open it to everybody")
        for name in (self.endpoint_id, *self.endpoints):
            own = self.for_endpoint(name)
            if own.max_workers is not None and own.max_workers < own.workers:
                raise ValueError(f"max_workers of endpoint {name} is below its workers: {own.workers} at least")
        if self.lease_seconds < 2 * self.heartbeat_seconds:
            raise ValueError("lease_seconds must be at least twice heartbeat_seconds, or live workers lose their jobs")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: flags, environment, TOML file."""
        named = os.environ.get(CONFIG_VARIABLE)
        if named and not Path(named).is_file():
            raise SettingsError(f"{CONFIG_VARIABLE} names {named}, which is not a file")
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(named or DEFAULT_CONFIG)))

    @classmethod
    def load(cls, **flags: Any) -> "Settings":
        """Read the settings; flags that are None were not given. Raises SettingsError naming field and allowed
        values."""
        try:
            return cls(**{name: value for name, value in flags.items() if value is not None})
        except ValidationError as error:
            raise SettingsError("; ".join(_sentence(problem) for problem in error.errors())) from None
        except ValueError as error:
            raise SettingsError(f"the settings file cannot be read: {error}") from None

    def for_child(self) -> dict[str, Any]:
        """Give plain data, secrets included, for a child process's standard input (never for a command line)."""
        plain = self.model_dump(mode="json")
        for name, value in self:
            if isinstance(value, SecretStr):
                plain[name] = value.get_secret_value()
        plain["api_keys"] = [key.get_secret_value() for key in self.api_keys]
        return plain

    def for_worker(self) -> dict[str, Any]:
        """Give `for_child` without what no worker needs: the keys of clients, whatever else is secret but not its own,
        where the gateway listens, and other endpoints."""
        plain = self.for_child()
        secret = {name for name, value in self if isinstance(value, SecretStr)} - WORKER_SECRETS
        return {name: value for name, value in plain.items() if name not in secret | NOT_FOR_WORKERS}

    @classmethod
    def from_parent(cls, plain: Mapping[str, Any]) -> "Settings":
        """Read what `for_child` or `for_worker` gave, past environment and files: a child's settings are exactly its
        parent's."""
        settings = cls.model_construct()
        cls.__pydantic_validator__.validate_python(dict(plain), self_instance=settings)
        return settings

    def endpoint_ids(self) -> tuple[str, ...]:
        """Name every endpoint: the own one first, then those of the table and those that only a key names."""
        return tuple(dict.fromkeys([self.endpoint_id, *self.endpoints, *self.keys_by_endpoint()]))

    def for_endpoint(self, name: str) -> "Settings":
        """Give the settings as they are for one endpoint: its own where it has them, the common ones elsewhere.

        An endpoint that only a key names has no workers here: it waits for workers from elsewhere.
        """
        if name == self.endpoint_id:
            return self
        own = self.endpoints.get(name, EndpointSettings.model_validate({"workers": 0}))
        changed = {key: value for key, value in own if value is not None}
        if "workers" in changed and "max_workers" not in changed:
            changed["max_workers"] = None
        return self.model_copy(update={"endpoint_id": name, **changed})

    def keys_by_endpoint(self) -> dict[str, frozenset[str]]:
        """Sort the client keys by the endpoint they open; the own endpoint is there even without a key."""
        sorted_keys: dict[str, set[str]] = {name: set() for name in (self.endpoint_id, *self.endpoints)}
        for secret in self.api_keys:
            scope, colon, key = secret.get_secret_value().partition(":")
            scoped = bool(colon) and ENDPOINT_ID.fullmatch(scope) is not None
            name, word = (scope, key) if scoped else (self.endpoint_id, secret.get_secret_value())
            sorted_keys.setdefault(name, set()).add(word)
        return {name: frozenset(keys) for name, keys in sorted_keys.items()}


_KINDS: Mapping[str, str] = {
    "bool": "true or false",
    "model": "a table of settings, such as [endpoints.NAME] of the TOML file",
    "dict": "a table of names, as TOML tables or as JSON in a variable",
    "tuple": "texts with commas between them",
    "path": "the path of a folder",
    "string": "a text",
}
"""What pydantic's kinds of values are called here."""


def _sentence(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    # A misspelt field may well hold a secret; a whole model does.
    shown = name and "key" not in name and problem["type"] != "extra_forbidden"
    return f"{name}: {_rule(problem)}, got {problem['input']!r}" if shown else f"{name or 'settings'}: {_rule(problem)}"


def _rule(problem: Mapping[str, Any]) -> str:
    """Say what is allowed in this program's words, where pydantic's are a pattern or the name of a Python type."""
    place, kind = problem["loc"], problem["type"]
    fields = EndpointSettings.model_fields if place[:1] == ("endpoints",) and len(place) > 2 else Settings.model_fields
    field = fields.get(str(place[-1])) if place else None
    if kind == "extra_forbidden":
        nearest = difflib.get_close_matches(str(place[-1]), fields, n=1)
        return f"is no setting{''.join(f'; did you mean {name}?' for name in nearest)}"
    if kind == "string_pattern_mismatch":
        words = re.fullmatch(r"\^\(([\w|]+)\)\$", problem["ctx"]["pattern"])
        meaning = Settings.model_fields[str(place[-1])].description
        return f"must be one of {words[1].replace('|', ', ')}" if words else f"must suit its meaning ({meaning})"
    if field is not None and (numbers := _numbers(field)):
        return numbers
    word = _KINDS.get(kind.partition("_")[0])
    return f"must be {word}" if word else str(problem["msg"]).removeprefix("Value error, ")


def _numbers(field: FieldInfo) -> str:
    """Say which numbers a field takes: "must be a whole number from 0 to 65535"; "" for a field of another kind."""
    bounds = {
        name: getattr(rule, name) for rule in field.metadata for name in ("ge", "gt", "le") if hasattr(rule, name)
    }
    if not bounds:
        return ""
    kind = "a whole number" if int in (field.annotation, *get_args(field.annotation)) else "a number"
    low = f"from {bounds['ge']}" if "ge" in bounds else f"above {bounds['gt']}, and"
    return f"must be {kind} {low} {'to' if 'ge' in bounds else 'at most'} {bounds['le']}"
