"""What may a packaging file name? The project's own variables, the SDK's, and a few of other programs, with reasons."""

import re
from pathlib import Path

import pytest

from acestep_serverless.settings import PREFIX, Settings
from acestep_serverless.worker.bucket import VARIABLES

ROOT = Path(__file__).resolve().parents[2]

OWN_VARIABLES = frozenset(f"{PREFIX}{name.upper()}" for name in Settings.model_fields)
BUCKET_VARIABLES = frozenset({*VARIABLES, "BUCKET_NAME", "AWS_REGION"})
FOREIGN_VARIABLES = {
    "PATH": "where the programs of the image's Python environment are",
    "PYTHONUNBUFFERED": "Python writes each line of the log at once",
    "HF_HOME": "the folder in which Hugging Face's libraries look for models",
}


def refused_variables(names: set[str]) -> set[str]:
    """Return the names that nothing reads."""
    return names - OWN_VARIABLES - BUCKET_VARIABLES - FOREIGN_VARIABLES.keys()


def settings_from(values: dict[str, str], monkeypatch: pytest.MonkeyPatch, folder: Path) -> Settings:
    """Load the settings as a process with these variables would. Raises SettingsError."""
    monkeypatch.chdir(folder)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return Settings.load()


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile in order, each as its word and the rest, continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines())]
