"""Which bucket does a job name? The platform's `s3Config`, checked: names, shapes, and where a bucket may be.

The shape is that of the platform's documentation and SDK types: `accessId`, `accessSecret`, `bucketName`,
`endpointUrl` and, in the types only, `objectPath`. No problem that is found here shows what was given for a credential.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError

BUCKET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
"""Names of buckets, old ones included. No ARN: that would change the host which is called."""

_URL = re.compile(r"https?://[^\s/?#@\\]{1,253}(/[A-Za-z0-9._~/-]*)?")
_CREDENTIAL = re.compile(r"[!-~]{1,1024}")
_FOLDERS = re.compile(r"[A-Za-z0-9._ -]{1,128}(/[A-Za-z0-9._ -]{1,128}){0,7}")


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket and what opens it. `folder` is put before the names of objects, without slashes at its ends; `region`
    "" leaves it to the endpoint's name."""

    endpoint_url: str
    name: str
    access_id: str = field(repr=False)
    access_secret: str = field(repr=False)
    folder: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of `s3Config`: how it may look, in words for an error, and whether an error may show it."""

    name: str
    fits: Callable[[str], bool]
    allowed: str
    secret: bool = False
    required: bool = True


def is_endpoint_url(text: str) -> bool:
    """Tell whether a text is a base URL of S3-compatible storage: http or https, no user name, no query."""
    if len(text) > 2_048 or not text.isascii() or not _URL.fullmatch(text):
        return False
    try:
        parts = urlsplit(text)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_folder(text: str) -> bool:
    return bool(_FOLDERS.fullmatch(text)) and not {".", ".."} & set(text.split("/"))


_MEMBERS = (
    _Member("accessId", lambda text: bool(_CREDENTIAL.fullmatch(text)), "printable ASCII", secret=True),
    _Member("accessSecret", lambda text: bool(_CREDENTIAL.fullmatch(text)), "printable ASCII", secret=True),
    _Member("bucketName", lambda text: bool(BUCKET_NAME.fullmatch(text)), "a bucket's name"),
    _Member("endpointUrl", is_endpoint_url, "a base URL such as https://s3.eu-central-1.amazonaws.com"),
    _Member("objectPath", _is_folder, "up to 8 folders such as songs/2026", required=False),
)


def parse_s3_config(value: object) -> Bucket:
    """Read a job's `s3Config`. Raises InputError naming every wrong member, and no credential."""
    if not isinstance(value, Mapping):
        raise InputError([FieldProblem("s3Config", shown(value), "must be an object")])
    read = {member.name: _text(value.get(member.name), member) for member in _MEMBERS}
    problems = [problem for member in _MEMBERS if (problem := _problem(value, member))]
    known = ", ".join(member.name for member in _MEMBERS)
    unknown = [str(name)[:60] for name in value if name not in read][:16]
    problems += [FieldProblem(f"s3Config.{name}", "a value", f"is unknown; s3Config has {known}") for name in unknown]
    if problems:
        raise InputError(problems)
    return Bucket(
        endpoint_url=read["endpointUrl"].rstrip("/"),
        name=read["bucketName"],
        access_id=read["accessId"],
        access_secret=read["accessSecret"],
        folder=read["objectPath"],
    )


def _text(given: object, member: _Member) -> str:
    text = given if isinstance(given, str) else ""
    return text.strip("/") if member.name == "objectPath" else text


def _problem(value: Mapping[object, object], member: _Member) -> FieldProblem | None:
    """Say what is wrong with a member; None when it is as it may be."""
    given = value.get(member.name)
    if not member.required and given in (None, ""):
        return None
    if isinstance(given, str) and member.fits(_text(given, member)):
        return None
    told = "a value that is not shown" if member.secret else shown(given)
    return FieldProblem(f"s3Config.{member.name}", told if given else "nothing", f"must be {member.allowed}")
