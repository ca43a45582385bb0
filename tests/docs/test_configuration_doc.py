"""Does docs/configuration.md name every setting as it is, and is its example file one?"""

from pathlib import Path

import pytest
from documents import blocks, table
from pydantic import SecretStr

from acestep_serverless.settings import CONFIG_VARIABLE, DEFAULT_CONFIG, PREFIX, Settings

CONFIGURATION = "docs/configuration.md"


def _default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    empty = value in ("", (), {}, None) or (isinstance(value, SecretStr) and not value.get_secret_value())
    return "-" if empty else f"`{value}`"


def test_every_setting_has_its_row_with_its_default_and_meaning() -> None:
    rows = [
        [f"`{name}`", f"`{PREFIX}{name.upper()}`", _default(field.default), field.description]
        for name, field in Settings.model_fields.items()
    ]
    assert table(CONFIGURATION, "Setting") == rows


def test_the_example_file_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_VARIABLE, raising=False)
    (tmp_path / DEFAULT_CONFIG).write_text(blocks(CONFIGURATION, "toml")[0])
    settings = Settings.load()
    assert (settings.port, settings.data_dir, settings.workers) == (8100, Path("songs"), 2)
    assert settings.keys_by_endpoint() == {
        "ace-step": frozenset({"my-key"}),
        "other-endpoint": frozenset({"another-key"}),
    }
