"""Would `docker compose` run gateway and worker? The file is one of the specification's, and names what exists."""

from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from compose_spec import PyCompose
from packaging_parts import OWN_VARIABLES, ROOT, instructions, settings_from

from acestep_serverless.cli.program import PROGRAM
from acestep_serverless.gateway import probes

TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def test_the_file_is_valid() -> None:
    compose = PyCompose.from_yaml(TEXT)
    compose.validate()
    assert set(compose.to_spec().services or {}) == {"gateway", "worker", "worker-gpu"}


def test_a_misspelt_option_would_be_refused() -> None:
    with pytest.raises(Exception, match="helthcheck"):
        PyCompose.from_yaml(TEXT.replace("healthcheck:", "helthcheck:"))


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_is_a_setting_and_its_value_is_allowed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {key: "a-secret" if "${" in value else value for key, value in SERVICES[name]["environment"].items()}
    assert given.keys() <= OWN_VARIABLES
    settings = settings_from(given, monkeypatch, tmp_path)
    assert settings.worker_key.get_secret_value() == "a-secret"


def test_secrets_come_from_outside_and_their_absence_says_so() -> None:
    for service in SERVICES.values():
        for key, value in service["environment"].items():
            assert value.startswith(f"${{{key}:?") == key.endswith(("_KEY", "_KEYS"))


def test_workers_call_the_gateway_where_it_listens() -> None:
    gateway = SERVICES["gateway"]["environment"]
    address = f"http://gateway:{gateway['ACESTEP_SERVERLESS_PORT']}"
    for name in ("worker", "worker-gpu"):
        assert SERVICES[name]["environment"]["ACESTEP_SERVERLESS_GATEWAY"] == address
        assert SERVICES[name]["depends_on"] == {"gateway": {"condition": "service_healthy"}}
    published, inside = SERVICES["gateway"]["ports"][0].rsplit(":", 1)
    assert inside == gateway["ACESTEP_SERVERLESS_PORT"]
    assert published.startswith("127.0.0.1:")


def test_every_command_is_one_of_the_program() -> None:
    known = typer.main.get_command(PROGRAM).commands
    for service in SERVICES.values():
        program, command = service["command"]
        assert program == "acestep-serverless"
        assert command in known


def test_the_image_is_built_with_arguments_that_the_dockerfile_has() -> None:
    arguments = {
        rest.partition("=")[0] for word, rest in instructions((ROOT / "Dockerfile").read_text()) if word == "ARG"
    }
    for service in SERVICES.values():
        assert (ROOT / service["build"]["context"] / "Dockerfile").is_file()
        assert set(service["build"].get("args", {})) <= arguments


def test_only_the_gpu_s_worker_has_the_model() -> None:
    extras = {name: service["build"].get("args", {}).get("EXTRAS") for name, service in SERVICES.items()}
    assert extras == {"gateway": "", "worker": "", "worker-gpu": None}  # None: the Dockerfile's own, the model's
    assert f"{COMPOSE['name']}_weights:/runpod-volume" in (ROOT / "docs" / "runpod.md").read_text("utf-8")
    assert SERVICES["worker-gpu"]["volumes"] == ["weights:/runpod-volume:ro"]


def test_what_is_mounted_is_declared_and_where_it_is_used() -> None:
    mounts = [mount.split(":") for service in SERVICES.values() for mount in service.get("volumes", [])]
    assert {volume for volume, *_ in mounts} == set(COMPOSE["volumes"])
    assert {folder for _, folder, *_ in mounts} == {"/data", "/runpod-volume"}
    assert SERVICES["gateway"]["environment"]["ACESTEP_SERVERLESS_DATA_DIR"] == "/data"
    assert "/runpod-volume/huggingface-cache" in (ROOT / "Dockerfile").read_text()


def test_a_worker_has_the_time_to_finish_its_song_before_it_is_killed() -> None:
    for name in ("worker", "worker-gpu"):
        drain = float(SERVICES[name]["environment"]["ACESTEP_SERVERLESS_DRAIN_SECONDS"])
        assert float(SERVICES[name]["stop_grace_period"].removesuffix("s")) > drain


def test_the_health_check_asks_a_probe_that_is_there() -> None:
    code = SERVICES["gateway"]["healthcheck"]["test"][-1]
    compile(code, "healthcheck", "exec")
    assert '"/readyz"' in Path(probes.__file__).read_text()
    assert "/readyz'" in code
