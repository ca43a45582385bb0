"""Where do the songs of one job go? Its own bucket, else the gateway, else the worker's bucket, else only the output.

| The job or the worker has | Songs go to |
|---|---|
| `s3Config` in the job | that bucket |
| a gateway | its artifacts |
| `BUCKET_...` variables | that bucket |
| none of these | the output, as base64 |

What a bucket does not take goes to the next place in this order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from acestep_serverless.contract.bucket import Bucket, parse_s3_config
from acestep_serverless.errors import FieldProblem, InputError
from acestep_serverless.outbound.upload import Uploader
from acestep_serverless.worker.bucket_sink import BucketSink, UploadBounds
from acestep_serverless.worker.delivery import InlineSink
from acestep_serverless.worker.sink import ArtifactSink

OF_THE_REQUEST, OF_THE_WORKER = "s3Config", "BUCKET_ENDPOINT_URL"


@dataclass(frozen=True, slots=True)
class Places:
    """Chooses a place for each job. `usual` takes the songs of jobs that name no bucket; `private_buckets` allows a
    job's bucket at a private address or without TLS."""

    usual: ArtifactSink
    private_buckets: bool = False
    bounds: UploadBounds = field(default_factory=UploadBounds)

    def for_job(self, job: Mapping[str, object]) -> ArtifactSink:
        """Return the place for a job's songs. Raises InputError for an `s3Config` that is wrong or not allowed here."""
        given = job.get("s3Config")
        if not given:
            return self.usual
        bucket = parse_s3_config(given)
        if bucket.endpoint_url.startswith("http://") and not self.private_buckets:
            allowed = "must be https: only a setting of this server (bucket_private) may allow http"
            raise InputError([FieldProblem("s3Config.endpointUrl", "an http URL", allowed)])
        uploader = Uploader(allow_private=self.private_buckets)
        return BucketSink(bucket, self.usual, uploader, OF_THE_REQUEST, self.bounds)


def without_gateway(own: Bucket | None) -> ArtifactSink:
    """Return the usual place of a worker without a gateway; `own` is the bucket of its variables. Its operator chose
    that address, so it may be a private one."""
    if own is None:
        return InlineSink()
    return BucketSink(own, InlineSink(), Uploader(allow_private=True), OF_THE_WORKER)
