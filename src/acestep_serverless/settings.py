"""What can be configured? One frozen value, read once at the start: flags, then environment variables, then a TOML
file.

Variables are the field's name in capitals after `ACESTEP_SERVERLESS_`; the TOML file is `acestep-serverless.toml` in
the working directory, or the one that ACESTEP_SERVERLESS_CONFIG names, with the fields' names as keys.
"""

import base64
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
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
ENDPOINT_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Everything that can be set, with its default and its meaning. Raises SettingsError through `load`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, validate_default=True)

    host: str = Field("127.0.0.1", description="address to listen on; anything but loopback needs a key")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    data_dir: Path = Field(Path("data"), description="folder of the database, the audio files and the worker key")
    engine: str = Field(
        "auto", pattern="^(auto|sketch|acestep)$", description="what makes the sound: auto, sketch or acestep"
    )
    workers: int = Field(1, ge=0, le=64, description="worker processes to keep alive on this machine")
    endpoint_id: str = Field("ace-step", description="the endpoint's name in URLs: small letters, digits, dashes")
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = Field(
        (), description="client keys, separated by commas; KEY opens the endpoint, OTHER-ENDPOINT:KEY opens another one"
    )
    worker_key: SecretStr = Field(
        SecretStr(""), description="what workers enrol with; made and kept in the data folder (worker.key) when unset"
    )
    gateway: str = Field("", description="worker: base URL of the gateway to work for, such as http://10.0.0.5:8000")
    acestep_api_url: str = Field("", description="worker: drive the ACE-Step API at this URL instead of one in process")
    acestep_api_key: SecretStr = Field(SecretStr(""), description="key of that ACE-Step API, and of acestep-api itself")
    execution_timeout_seconds: int = Field(
        2_100, ge=5, le=604_800, description="default executionTimeout of jobs: the guide's 1,800 s and delivery"
    )
    retention_hours: float = Field(168.0, gt=0, le=8_760, description="how long final jobs and their audio are kept")
    artifact_limit_mb: int = Field(512, ge=1, le=4_096, description="largest audio file that a worker may hand over")
    webhook_secret: SecretStr = Field(
        SecretStr(""), description="signs webhooks as Standard Webhooks say; unset means unsigned"
    )
    webhook_private: bool = Field(False, description="let webhooks go to private and loopback addresses")
    heartbeat_seconds: int = Field(4, ge=1, le=60, description="time between two signs of life of a worker")
    lease_seconds: int = Field(30, ge=3, le=600, description="how long a silent worker keeps its job")
    drain_seconds: float = Field(5.0, ge=0, le=3_600, description="how long an ending fleet waits for running jobs")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR")
    log_json: bool = Field(False, description="one JSON object a line instead of text")

    @field_validator("api_keys", mode="before")
    @classmethod
    def _split_keys(cls, value: object) -> object:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, list | tuple):
            return parts
        words = [part.get_secret_value() if isinstance(part, SecretStr) else str(part) for part in parts]
        return tuple(word.strip() for word in words if word.strip())

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

    @field_validator("gateway", "acestep_api_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            raise ValueError("must be a base URL such as http://127.0.0.1:8000")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _closed_or_loopback(self) -> "Settings":
        if self.host not in LOOPBACK_HOSTS and not self.api_keys:
            raise ValueError(
                f"listening on {self.host} needs a key: set {PREFIX}API_KEYS, or leave the host at 127.0.0.1"
            )
        if any("" in keys for keys in self.keys_by_endpoint().values()):
            raise ValueError("api_keys has an empty key after an endpoint's name, which would open it to everybody")
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

    @classmethod
    def from_parent(cls, plain: Mapping[str, Any]) -> "Settings":
        """Read what `for_child` gave, past environment and files: a child's settings are exactly its parent's."""
        settings = cls.model_construct()
        cls.__pydantic_validator__.validate_python(dict(plain), self_instance=settings)
        return settings

    def keys_by_endpoint(self) -> dict[str, frozenset[str]]:
        """Sort the client keys by the endpoint they open; the own endpoint is there even without a key."""
        sorted_keys: dict[str, set[str]] = {self.endpoint_id: set()}
        for secret in self.api_keys:
            scope, colon, key = secret.get_secret_value().partition(":")
            scoped = bool(colon) and ENDPOINT_ID.fullmatch(scope) is not None
            name, word = (scope, key) if scoped else (self.endpoint_id, secret.get_secret_value())
            sorted_keys.setdefault(name, set()).add(word)
        return {name: frozenset(keys) for name, keys in sorted_keys.items()}


def _sentence(problem: Mapping[str, Any]) -> str:
    name = ".".join(str(part) for part in problem["loc"])
    text = str(problem["msg"]).removeprefix("Value error, ")
    # A misspelt field may well hold a secret; a whole model does.
    shown = name and "key" not in name and problem["type"] != "extra_forbidden"
    return f"{name}: {text}, got {problem['input']!r}" if shown else f"{name or 'settings'}: {text}"
