"""What does `keys` do? It makes, lists and revokes the client keys of the database; a secret is shown once."""

from typing import Annotated, Any

import typer

from acestep_serverless.cli.flags import AsJson, DataDir
from acestep_serverless.cli.operating import in_office
from acestep_serverless.cli.words import moment, say, say_json, say_table
from acestep_serverless.clock import SYSTEM_CLOCK

KEYS = typer.Typer(help="Make, list and revoke client keys.", no_args_is_help=True)


@KEYS.command("create")
def keys_create(
    name: Annotated[str, typer.Option(help="whose it is or what it is for; shown in the list")],
    endpoint: Annotated[
        list[str] | None, typer.Option(help="an endpoint that it opens; give it again for more; none: all")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. Its secret is printed now, alone on standard output, and can never be shown again."""
    from acestep_serverless.assembly.operating import create_key

    key = in_office(data_dir, lambda office: create_key(office, name, endpoint or ()), may_make=True)
    if as_json:
        say_json(key)
        return
    say(f"{key['id']} opens {_scope(key)}; clients send it as 'Authorization: Bearer <key>':", aside=True)
    say(key["key"])


@KEYS.command("list")
def keys_list(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List every key that was ever made, oldest first; never its secret."""
    from acestep_serverless.assembly import operating

    keys = in_office(data_dir, operating.keys_list)
    if as_json:
        say_json(keys)
        return
    now = SYSTEM_CLOCK.now_ms()
    heads = ("id", "name", "endpoints", "created", "revoked")
    times = [(moment(key["createdAt"], now), moment(key["revokedAt"], now)) for key in keys]
    say_table(heads, [(key["id"], key["name"], _scope(key), *time) for key, time in zip(keys, times, strict=True)])


@KEYS.command("revoke")
def keys_revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID")], data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """End a key for good: running gateways refuse it within a second."""
    from acestep_serverless.assembly.operating import revoke_key

    key = in_office(data_dir, lambda office: revoke_key(office, key_id))
    if as_json:
        say_json(key)
    else:
        say(f"{key_id} ({key['name']}) opens nothing any more")


def _scope(key: dict[str, Any]) -> str:
    return "every endpoint" if key["endpoints"] == ["*"] else ", ".join(key["endpoints"])
