"""Which gateway does this worker serve, and at which URLs? The addresses of the Runpod worker protocol, with their
token."""

from dataclasses import dataclass, field
from urllib.parse import quote

JOB_ID = "$ID"
POD_ID = "$RUNPOD_POD_ID"


@dataclass(frozen=True, slots=True)
class GatewayLink:
    """A worker's place at a gateway. The token is this worker's own secret; it travels in the query of every URL,
    because that is the one part the Runpod SDK carries over to the URLs it derives itself."""

    gateway_url: str
    endpoint_id: str
    worker_id: str
    token: str = field(repr=False)

    def artifact_url(self, job_id: str, index: int, suffix: str) -> str:
        """Return where song `index` of a job is PUT; `suffix` such as ".mp3"."""
        return self._url(f"artifacts/{_part(self.worker_id)}/{_part(job_id)}/{index}{suffix}")

    def stored_url(self, name: str) -> str:
        """Return where the file of an earlier job of this endpoint is fetched."""
        return self._url(f"artifacts/{_part(self.worker_id)}/{_part(name)}")

    def abilities_url(self) -> str:
        """Return where this worker tells what its engine can do; no part of the Runpod protocol."""
        return self._url(f"abilities/{_part(self.worker_id)}")

    def done_url(self, job_id: str) -> str:
        """Return where a job's result is POSTed, exactly as the SDK spells it."""
        return self._url(f"job-done/{_part(self.worker_id)}/{_part(job_id)}") + "&isStream=false"

    def sdk_urls(self) -> dict[str, str]:
        """Return the four URL templates by the SDK's environment variable; the SDK replaces `$ID` and
        `$RUNPOD_POD_ID`.

        Each needs its `?` (the SDK appends `&...`) and the first its `/job-take/` (the stop channel is derived from
        it).
        """
        return {
            "RUNPOD_WEBHOOK_GET_JOB": self._url(f"job-take/{JOB_ID}"),
            "RUNPOD_WEBHOOK_POST_OUTPUT": self._url(f"job-done/{POD_ID}/{JOB_ID}"),
            "RUNPOD_WEBHOOK_POST_STREAM": self._url(f"job-stream/{POD_ID}/{JOB_ID}"),
            "RUNPOD_WEBHOOK_PING": self._url(f"ping/{POD_ID}"),
        }

    def _url(self, path: str) -> str:
        base = self.gateway_url.rstrip("/")
        return f"{base}/v2/{_part(self.endpoint_id)}/{path}?token={_part(self.token)}"


def _part(text: str) -> str:
    return quote(text, safe="")
