"""Which setting wins, and what is refused? Flags, then environment variables, then the TOML file."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from acestep_serverless.errors import SettingsError
from acestep_serverless.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, PREFIX, Settings


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"{PREFIX}{name.upper()}", raising=False)


def test_flags_go_before_variables_and_variables_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    DEFAULT_CONFIG.write_text("port = 1001\nworkers = 11\nretention_hours = 24.0\n")
    monkeypatch.setenv(f"{PREFIX}PORT", "1002")
    monkeypatch.setenv(f"{PREFIX}WORKERS", "12")
    settings = Settings.load(port=1003)
    assert (settings.port, settings.workers, settings.retention_hours) == (1003, 12, 24.0)
    assert settings.host == "127.0.0.1"


def test_a_flag_that_was_not_given_leaves_the_others_their_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}PORT", "1002")
    assert Settings.load(port=None).port == 1002


def test_the_file_can_have_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    DEFAULT_CONFIG.write_text("port = 1001")
    Path("other.toml").write_text("port = 1004")
    monkeypatch.setenv(CONFIG_VARIABLE, "other.toml")
    assert Settings.load().port == 1004


def test_every_setting_can_be_set_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HOST": "localhost", "PORT": "1", "DATA_DIR": "d", "ENGINE": "sketch", "WORKERS": "0", "ENDPOINT_ID": "e"}
    given |= {"API_KEYS": "a, b", "WORKER_KEY": "w", "GATEWAY": "http://g:1/", "ACESTEP_API_URL": "http://a:1"}
    given |= {"ACESTEP_API_KEY": "k", "EXECUTION_TIMEOUT_SECONDS": "6", "RETENTION_HOURS": "0.5", "LOG_JSON": "true"}
    given |= {"ARTIFACT_LIMIT_MB": "3", "HEARTBEAT_SECONDS": "2", "LEASE_SECONDS": "9", "DRAIN_SECONDS": "0"}
    given |= {"LOG_LEVEL": "DEBUG", "WEBHOOK_SECRET": "whsec_czNjcmV0", "WEBHOOK_PRIVATE": "true"}
    given |= {"SOURCE_PRIVATE": "true", "BUCKET_PRIVATE": "true"}
    given |= {"MAX_WORKERS": "2", "IDLE_TIMEOUT_SECONDS": "5", "SCALER": "REQUEST_COUNT", "SCALER_VALUE": "2"}
    given |= {"GPUS": "0,1", "ENDPOINTS": '{"jazz": {"workers": 2}}', "RATE_LIMITS": '{"run": "off"}'}
    given |= {"DATABASE_URL": "postgresql://u:p@h/d", "ARTIFACTS_DIR": "a", "RUNSYNC_RETENTION_HOURS": "0.1"}
    given |= {"ACESTEP_API_QUEUE": "9", "ACESTEP_API_TIMEOUT_SECONDS": "60", "WORKER_JOBS": "2"}
    given |= {"LENIENT": "true", "ADAPTERS_DIR": "l", "BUCKET_PRIVATE": "true", "SOURCE_PRIVATE": "true"}
    given |= {"MODELS_DIR": "m", "MODEL": "acestep-v15-base", "PLANNER": "none", "DEVICE": "cuda:1"}
    given |= {"PRECISION": "float32", "OFFLOAD": "parts", "COMPILE": "off"}
    assert set(given) == {name.upper() for name in Settings.model_fields}
    for name, value in given.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    settings = Settings.load()
    unchanged = [name for name, field in Settings.model_fields.items() if getattr(settings, name) == field.default]
    assert unchanged == []
    assert settings.gateway == "http://g:1"
    assert [key.get_secret_value() for key in settings.api_keys] == ["a", "b"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"port": 65_536}, "port: must be a whole number from 0 to 65535, got 65536"),
        ({"engine": "violin"}, "engine: must be one of auto, sketch, acestep, got 'violin'"),
        ({"endpoint_id": "A B"}, "endpoint_id"),
        ({"gateway": "10.0.0.5"}, "gateway"),
        ({"workers": "many"}, "workers: must be a whole number from 0 to 64, got 'many'"),
        ({"retention_hours": 0}, "retention_hours: must be a number above 0, and at most 8760, got 0"),
        ({"workers": True}, "workers: must be a whole number from 0 to 64, got True"),
        ({"endpoints": {"jazz": {"max_workers": False}}}, "jazz.max_workers: must be a whole number from 1 to 64"),
        ({"lenient": "perhaps"}, "lenient: must be true or false, got 'perhaps'"),
        ({"device": "gpu"}, "device: must suit its meaning (where it computes: auto, cpu, cuda or cuda:N), got 'gpu'"),
        ({"heartbeat_seconds": 20}, "lease_seconds must be at least twice heartbeat_seconds"),
        ({"wrokers": "blue"}, "wrokers: is no setting; did you mean workers?"),
        ({"endpoints": {"A B": {}}}, "endpoints"),
        ({"endpoints": {"jazz": {"colour": "blue"}}}, "endpoints.jazz.colour: is no setting"),
        (
            {"endpoints": {"jazz": {"workers": 65}}},
            "endpoints.jazz.workers: must be a whole number from 0 to 64, got 65",
        ),
        ({"endpoints": {"jazz": 3}}, "endpoints.jazz: must be a table of settings"),
        ({"endpoints": {"jazz": {"acestep_api_url": "10.0.0.5"}}}, "endpoints.jazz.acestep_api_url"),
        ({"endpoints": {"jazz": {"workers": 3, "max_workers": 2}}}, "max_workers of endpoint jazz"),
        ({"database_url": "mysql://h/d"}, "postgresql://"),
        ({"gpus": "0, 1"}, "gpus"),
    ],
)
def test_a_wrong_value_is_refused_by_name(flags: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(**flags)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_wrong_values_are_named_together() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.load(port=-1, workers=-1)
    assert "port" in str(refused.value)
    assert "workers" in str(refused.value)


def test_an_address_beyond_loopback_is_allowed_with_a_key() -> None:
    assert Settings.load(host="0.0.0.0", api_keys="secret").host == "0.0.0.0"


def test_keys_are_sorted_by_the_endpoint_they_open() -> None:
    settings = Settings.load(api_keys="mine,other:theirs,with:Colons:inside,Not-A-Name:whole")
    assert settings.keys_by_endpoint() == {
        "ace-step": frozenset({"mine", "Not-A-Name:whole"}),
        "other": frozenset({"theirs"}),
        "with": frozenset({"Colons:inside"}),
    }
    assert Settings.load().keys_by_endpoint() == {"ace-step": frozenset()}


def test_no_secret_shows_by_accident_in_text_or_in_an_error() -> None:
    settings = Settings.load(api_keys="hidden-1", worker_key="hidden-2", acestep_api_key="hidden-3")
    assert "hidden" not in f"{settings!r} {settings} {settings.model_dump_json()}"
    with pytest.raises(SettingsError) as refused:
        Settings.load(api_keys="hidden-1", port=-1, worker_key=["hidden-2"])
    assert "hidden" not in str(refused.value)


def test_a_child_gets_exactly_its_parents_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    parent = Settings.load(api_keys="a,b", worker_key="w", port=1, log_json=True)
    monkeypatch.setenv(f"{PREFIX}PORT", "2")
    DEFAULT_CONFIG.write_text("workers = 9")
    child = Settings.from_parent(parent.for_child())
    assert child == parent
    assert child.api_keys == (SecretStr("a"), SecretStr("b"))


def test_a_worker_gets_the_settings_of_its_endpoint_and_no_secret_that_is_not_its_own() -> None:
    DEFAULT_CONFIG.write_text("workers = 4\n[endpoints.jazz]\nworkers = 6\n[endpoints.rock]\nmax_workers = 5\n")
    settings = Settings.load(
        host="0.0.0.0",
        api_keys="hidden-1",
        webhook_secret="whsec_aGlkZGVu",
        database_url="postgresql://hidden",
        worker_key="own-1",
        acestep_api_key="own-2",
        heartbeat_seconds=7,
    )
    words = settings.for_endpoint("jazz").for_worker()
    assert "hidden" not in str(words)
    assert "aGlkZGVu" not in str(words)
    worker = Settings.from_parent(words)
    assert (worker.endpoint_id, worker.workers, worker.heartbeat_seconds) == ("jazz", 6, 7)
    assert (worker.worker_key, worker.acestep_api_key) == (SecretStr("own-1"), SecretStr("own-2"))


def test_an_endpoint_has_what_its_table_says_and_otherwise_what_is_common() -> None:
    DEFAULT_CONFIG.write_text(
        "workers = 2\nmax_workers = 3\n[endpoints.jazz]\nworkers = 0\nengine = 'sketch'\n"
        "[endpoints.rock]\nscaler_value = 9\n"
    )
    settings = Settings.load(api_keys="mine,elsewhere:its")
    assert settings.endpoint_ids() == ("ace-step", "jazz", "rock", "elsewhere")
    jazz, rock, elsewhere = (settings.for_endpoint(name) for name in ("jazz", "rock", "elsewhere"))
    assert (jazz.endpoint_id, jazz.workers, jazz.max_workers, jazz.engine) == ("jazz", 0, None, "sketch")
    assert (rock.workers, rock.max_workers, rock.scaler_value) == (2, 3, 9)
    assert elsewhere.workers == 0, "only a key names it: nobody asked for workers here"
    assert settings.for_endpoint("ace-step") is settings
