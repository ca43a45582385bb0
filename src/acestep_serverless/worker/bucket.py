"""How is a bucket opened? Its variables are read, its region is found, and links to its objects are signed.

boto3 only signs here, it sends nothing: its own connections look names up by themselves, follow a server to another
region and cannot be given up in the middle, so neither the check of addresses nor a bound on time would hold.
Signing needs no network.
"""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from acestep_serverless.contract.bucket import BUCKET_NAME, Bucket, is_endpoint_url
from acestep_serverless.errors import PeerError, SettingsError

LINK_SECONDS = 7 * 24 * 3600
"""How long a link to a song can be used: the most that Signature Version 4 allows, and what the Runpod SDK asks for."""

UPLOAD_LINK_SECONDS = 3_600
"""How long the link for the upload itself can be used; each attempt signs a new one."""

DEFAULT_REGION = "us-east-1"
"""What storage without regions takes (MinIO, Cloudflare R2)."""

VARIABLES = ("BUCKET_ENDPOINT_URL", "BUCKET_ACCESS_KEY_ID", "BUCKET_SECRET_ACCESS_KEY")
"""The three that the SDK's upload helper needs; `BUCKET_NAME` names the bucket, `AWS_REGION` its region."""

_REGIONS = (
    re.compile(r"(?:^|\.)s3(?:api)?[.-](?:dualstack\.)?([a-z0-9-]+)(?:\.[a-z0-9-]+){2,}$"),
    re.compile(r"^([a-z0-9-]+)\.digitaloceanspaces\.com$"),
)
"""Where an endpoint's host names its region: s3.REGION.amazonaws.com, BUCKET.s3.REGION..., s3-REGION..., Runpod's
s3api-REGION.runpod.io, REGION.digitaloceanspaces.com."""


def bucket_of(environ: Mapping[str, str], *, now_ms: int) -> Bucket | None:
    """Read the `BUCKET_...` variables as the Runpod SDK's upload helper does; None when none of its three is set.

    Without `BUCKET_NAME` the bucket is the SDK's: the month, such as "11-26", by this machine's clock. Raises
    SettingsError when some are missing, or a value cannot be one.
    """
    missing = [name for name in VARIABLES if not environ.get(name)]
    if len(missing) == len(VARIABLES):
        return None
    if missing:
        raise SettingsError(f"a bucket needs {', '.join(VARIABLES)}; {', '.join(missing)} is not set")
    endpoint, access_id, access_secret = (environ[name] for name in VARIABLES)
    name = environ.get("BUCKET_NAME") or time.strftime("%m-%y", time.localtime(now_ms / 1000))
    if not is_endpoint_url(endpoint):
        raise SettingsError("BUCKET_ENDPOINT_URL must be a base URL such as https://s3.eu-central-1.amazonaws.com")
    if not BUCKET_NAME.fullmatch(name):
        raise SettingsError("BUCKET_NAME must be a bucket's name")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or ""
    return Bucket(endpoint.rstrip("/"), name, access_id, access_secret, region=region)


def region_of(bucket: Bucket) -> str:
    """Tell the region that signatures name: what the endpoint's host says, else the bucket's own, else the default."""
    host = (urlsplit(bucket.endpoint_url).hostname or "").lower()
    named = next((found[1] for pattern in _REGIONS if (found := pattern.search(host))), None)
    return named or bucket.region or DEFAULT_REGION


def object_name(bucket: Bucket, job_id: str, index: int, suffix: str) -> str:
    """Name song `index` of a job: the same whenever and by whomever the job is made, and not to be guessed from it.

    `FOLDER/JOB/INDEX-DIGITS.mp3`; the 32 digits are an HMAC under the bucket's secret.
    """
    told = hmac.new(
        bucket.access_secret.encode(),
        f"acestep-serverless object\n{bucket.name}\n{job_id}\n{index}".encode("utf-8", "replace"),
        hashlib.sha256,
    ).hexdigest()[:32]
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_-") else "-" for letter in job_id)
    parts = (bucket.folder, safe[:128], f"{index}-{told}{suffix}")
    return "/".join(part for part in parts if part)


def md5_of(path: Path) -> str:
    """Digest a file as `Content-MD5` wants it (RFC 1864): every S3 server checks it and refuses another content."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    return base64.b64encode(digest).decode("ascii")


class Signer:
    """Signs links to the objects of a bucket. Slow at first (boto3 and its tables, 0.4 s), so call it in a thread."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def link_to_put(self, name: str, headers: Mapping[str, str]) -> str:
        """Sign an upload that sends just these headers (`Content-Type`, `Content-MD5`). Raises PeerError."""
        given = {"ContentType": headers["Content-Type"], "ContentMD5": headers["Content-MD5"]}
        return self._sign("put_object", name, given, UPLOAD_LINK_SECONDS)

    def link_to_get(self, name: str) -> str:
        """Sign a link that anybody can fetch the object with, for LINK_SECONDS. Raises PeerError."""
        return self._sign("get_object", name, {}, LINK_SECONDS)

    def _sign(self, operation: str, name: str, given: Mapping[str, str], seconds: int) -> str:
        from botocore.exceptions import BotoCoreError

        parameters = {"Bucket": self._bucket.name, "Key": name, **given}
        try:
            link: str = self._client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
        except (BotoCoreError, ValueError) as error:
            raise PeerError(f"a link to the bucket cannot be signed ({type(error).__name__})") from None
        return link

    @cached_property
    def _client(self) -> Any:
        # Imported here: it takes 0.2 s, and most workers never sign anything.
        import boto3.session
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",  # newer checksums are unknown to much S3-compatible storage
        )
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self._bucket.endpoint_url,
            aws_access_key_id=self._bucket.access_id,
            aws_secret_access_key=self._bucket.access_secret,
            region_name=region_of(self._bucket),
            config=config,
        )
