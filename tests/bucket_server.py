"""Real S3-compatible storage on a free loopback port (moto's server), for one test module at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3.session
import httpx
from moto.server import ThreadedMotoServer

ACCESS_ID, ACCESS_SECRET = "AKIDSONGS", "a-very/secret+key"


@dataclass(frozen=True)
class Storage:
    url: str

    def s3_config(self, bucket: str = "songs", **changed: str) -> dict[str, str]:
        """What a job carries for a bucket of this storage."""
        config = {"accessId": ACCESS_ID, "accessSecret": ACCESS_SECRET, "bucketName": bucket, "endpointUrl": self.url}
        return config | changed

    def names(self, bucket: str = "songs") -> list[str]:
        listed = self.client().list_objects_v2(Bucket=bucket)
        return [item["Key"] for item in listed.get("Contents", [])]

    def client(self):  # type: ignore[no-untyped-def]  # boto3 has no types
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id=ACCESS_ID,
            aws_secret_access_key=ACCESS_SECRET,
            region_name="us-east-1",
        )


@contextmanager
def storage() -> Iterator[Storage]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Storage(f"http://{host}:{port}")
    finally:
        server.stop()


def fetched(url: str) -> httpx.Response:
    """Fetch a link as any client would: with nothing but the link."""
    return httpx.get(url, trust_env=False)
