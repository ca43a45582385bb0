"""Where is an endpoint, and where are its files? A URL in any of its usual shapes becomes one Address; no I/O.

Usual are `http://HOST:PORT`, the same with `/v2`, and the same with `/v2/ENDPOINT_ID`; before `/v2` there may be the
path of a proxy. Runpod's are `https://api.runpod.ai/v2/ENDPOINT_ID`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import SplitResult, quote, urlsplit

from acestep_serverless.contract.music_shown import shown
from acestep_serverless.errors import FieldProblem, InputError, PeerError

DEFAULT_ENDPOINT_ID = "ace-step"
RUNPOD_HOST = "api.runpod.ai"
RUNPOD_URL = f"https://{RUNPOD_HOST}/v2"

URL_VARIABLE = "ACESTEP_SERVERLESS_ENDPOINT"
ID_VARIABLE = "ACESTEP_SERVERLESS_ENDPOINT_ID"
KEY_VARIABLE = "ACESTEP_SERVERLESS_API_KEY"
RUNPOD_URL_VARIABLE = "RUNPOD_ENDPOINT_BASE_URL"
RUNPOD_ID_VARIABLE = "RUNPOD_ENDPOINT_ID"
RUNPOD_KEY_VARIABLE = "RUNPOD_API_KEY"

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

_ENDPOINT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}", re.ASCII)
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", re.ASCII)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class FilePlace:
    """Where a file is fetched, and whether our key goes along: only to the endpoint's own server."""

    url: str
    with_key: bool


@dataclass(frozen=True, slots=True)
class Address:
    """One endpoint: `root` is the URL of its server without a slash at the end, below which `/v2` lies."""

    root: str
    endpoint_id: str

    @property
    def base(self) -> str:
        """The URL below which the endpoint's operations lie."""
        return f"{self.root}/v2/{self.endpoint_id}"

    @property
    def host(self) -> str:
        """The server's host name, in small letters."""
        return urlsplit(self.root).hostname or ""

    @property
    def is_runpod(self) -> bool:
        """True for Runpod's own service, which keeps no files and needs an endpoint id."""
        return self.host == RUNPOD_HOST

    @property
    def is_loopback(self) -> bool:
        """True for this machine, which is reached past any proxy."""
        return self.host in LOOPBACK

    def of_job(self, operation: str, job_id: str) -> str:
        """Give the URL of an operation on a job. Raises InputError for what cannot be a job's id."""
        if _JOB_ID.fullmatch(job_id) is None:
            raise InputError(
                [FieldProblem("job id", shown(job_id), "must be letters, digits, dots, dashes, underscores")]
            )
        return f"{self.base}/{operation}/{job_id}"

    def of_file(self, given: str) -> FilePlace:
        """Tell where a file is that a result names: a path of the own server, or a whole URL anywhere.

        Elsewhere must be https where the endpoint is. Raises PeerError for anything else.
        """
        if given.startswith("/v1/"):
            return FilePlace(self.root + quote(given, safe="/?=&%.-_~+"), with_key=True)
        parts = _split(given)
        if parts is None or parts.username is not None or parts.password is not None:
            raise PeerError(f"the endpoint names a place for a song that cannot be fetched: {shown(given)}")
        own = urlsplit(self.root)
        if _origin(parts) == _origin(own):
            return FilePlace(given, with_key=True)
        if parts.scheme != "https" and own.scheme == "https":
            raise PeerError(f"the endpoint names an unprotected place for a song: {parts.scheme}://{parts.hostname}")
        return FilePlace(given, with_key=False)


@dataclass(frozen=True, slots=True)
class Access:
    """An address with the key that opens it; "" sends none."""

    address: Address
    key: str = field(default="", repr=False)


def read_address(url: str, endpoint_id: str | None = None) -> Address:
    """Read a URL in any of the usual shapes. Raises InputError naming `endpoint` or `endpoint_id`."""
    parts = _split(url.strip())
    if parts is None or parts.username is not None or parts.query or parts.fragment:
        allowed = f"must be a URL such as http://127.0.0.1:8000 or {RUNPOD_URL}/ENDPOINT_ID, with nothing else in it"
        raise InputError([FieldProblem("endpoint", "one with more in it" if parts else shown(url), allowed)])
    words = [word for word in parts.path.split("/") if word]
    before, named = words, endpoint_id
    if "v2" in words:
        at = words.index("v2")
        before, after = words[:at], words[at + 1 :]
        named = _one_id(after, endpoint_id)
    root = "/".join((f"{parts.scheme}://{parts.netloc}", *before))
    return Address(root, _checked_id(named, needed=parts.hostname == RUNPOD_HOST))


def access_from(environ: Mapping[str, str], url: str | None = None, endpoint_id: str | None = None) -> Access:
    """Find address and key in the variables of an environment; arguments go before them.

    Runpod's key is sent to the place that Runpod's variables name, and to nobody else. Raises InputError.
    """
    both = environ.get(RUNPOD_ID_VARIABLE) and environ.get(RUNPOD_KEY_VARIABLE)
    found = url or environ.get(URL_VARIABLE) or environ.get(RUNPOD_URL_VARIABLE) or (RUNPOD_URL if both else "")
    if not found:
        allowed = f"must be named: a URL, or {URL_VARIABLE}, or {RUNPOD_ID_VARIABLE} and {RUNPOD_KEY_VARIABLE}"
        raise InputError([FieldProblem("endpoint", "nothing", allowed)])
    runpods = found == environ.get(RUNPOD_URL_VARIABLE) or _host(found) == RUNPOD_HOST
    if endpoint_id is None and not _names_id(found):
        endpoint_id = environ.get(RUNPOD_ID_VARIABLE if runpods else ID_VARIABLE) or None
    key = environ.get(KEY_VARIABLE, "") or (environ.get(RUNPOD_KEY_VARIABLE, "") if runpods else "")
    return Access(read_address(found, endpoint_id), checked_key(key))


def checked_key(key: str) -> str:
    """Give a key without blanks around it. Raises InputError, which does not show it, for what no header can hold."""
    stripped = key.strip()
    if not stripped.isascii() or not all("!" <= letter <= "~" for letter in stripped):
        raise InputError([FieldProblem("key", "something else", "must be printable ASCII without blanks")])
    return stripped


def _host(url: str) -> str | None:
    parts = _split(url.strip())
    return parts.hostname if parts else None


def _names_id(url: str) -> bool:
    parts = _split(url.strip())
    words = [word for word in parts.path.split("/") if word] if parts else []
    return "v2" in words and words[-1] != "v2"


def _split(url: str) -> SplitResult | None:
    """Split a whole http or https URL; None for what is none."""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if whole and url.isprintable() and " " not in url and "\\" not in url else None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)


def _one_id(after: list[str], given: str | None) -> str | None:
    if len(after) > 1:
        raise InputError([FieldProblem("endpoint", shown("/".join(after)), "must end with /v2 or /v2/ENDPOINT_ID")])
    if after and given and after[0] != given:
        raise InputError(
            [FieldProblem("endpoint_id", shown(given), f"must be {shown(after[0])}, as in the URL, or absent")]
        )
    return after[0] if after else given


def _checked_id(endpoint_id: str | None, *, needed: bool) -> str:
    if endpoint_id is None and needed:
        raise InputError([FieldProblem("endpoint_id", "nothing", f"must be given for {RUNPOD_HOST}")])
    found = endpoint_id or DEFAULT_ENDPOINT_ID
    if _ENDPOINT_ID.fullmatch(found) is None:
        raise InputError([FieldProblem("endpoint_id", shown(found), "must be letters, digits, dashes and underscores")])
    return found
