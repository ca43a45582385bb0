"""Is docs/acestep-api.md the code in words? Its tables of routes and parameters, and the limits in its sentences."""

from pathlib import Path

from documents import read, table

from acestep_serverless.acestep_api import Keeping, body, create_app, desk, sounds
from acestep_serverless.acestep_api.abilities import PLAIN, WORK
from acestep_serverless.acestep_api.orders import DEFAULT_SECONDS
from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.contract.acestep import LONGEST_WAIT
from acestep_serverless.contract.acestep_parameters import LARGEST_BATCH, PARAMETERS, Parameter
from acestep_serverless.engines import load_engine

API = "docs/acestep-api.md"
MIB = 1 << 20


def test_every_route_is_in_the_table_and_no_other(tmp_path: Path) -> None:
    app = create_app(
        engine=load_engine("sketch"), folder=tmp_path, clock=SYSTEM_CLOCK, new_id=lambda: "1", new_seed=lambda: 1
    )
    real = {f"`{method.upper()} {path}`" for path, methods in app.openapi()["paths"].items() for method in methods}
    assert {row[0] for row in table(API, "Route")} == real


def _row(parameter: Parameter) -> list[str]:
    default = parameter.default
    word = str(default).lower() if isinstance(default, bool) else str(default)
    spelled = "-" if default in (None, "", (), (None,)) else f"`{word}`"
    aliases = ", ".join(f"`{alias}`" for alias in parameter.aliases) or "-"
    unused = "work: refused" if parameter.name in WORK else "tunes: a warning"
    return [f"`{parameter.name}`", aliases, spelled, "every engine" if parameter.name in PLAIN else unused]


def test_the_table_of_parameters_is_the_codes() -> None:
    assert table(API, "Parameter") == [_row(parameter) for parameter in PARAMETERS]


def test_the_limits_in_the_sentences_are_the_codes() -> None:
    text = read(API)
    for said in (
        f"0 to {LONGEST_WAIT:g} s",
        f"1 to {LARGEST_BATCH} songs",
        f"{DEFAULT_SECONDS:g} seconds",
        f"up to {sounds.LARGEST_UPLOAD // MIB} MB",
        f"{body.LARGEST_BODY // MIB} MB, {sounds.LARGEST_UPLOAD // MIB} MB a file, {body.BODY_SECONDS:g} s, "
        f"{body.MOST_FIELDS:,} fields",
        f"at most {desk.MOST_WAITING} waiting, {desk.LONGEST_SECONDS:g} s",
        f"after {Keeping().seconds / 3600:g} hours",
    ):
        assert said in text, said


def test_every_file_field_is_named() -> None:
    assert all(f"`{name}`" in read(API) for name in sounds.FILE_FIELDS)


def test_each_defect_of_upstream_is_decided() -> None:
    assert [row[0] for row in table(API, "Number")] == [str(number) for number in range(1, 18)]
