"""What can go wrong between a client and an endpoint? Its errors, each with the next step in its text.

PeerError
├── JobEnded                the job is final without an output; `job` has its state and reason
│   ├── JobFailed           the handler or the endpoint gave up; the text is the reason
│   ├── JobCancelled        somebody cancelled it
│   └── JobTimedOut         it ran or waited for too long
├── StillRunning            our own patience is over; the job goes on
├── RefusedByEndpoint       an answer with an error status that has no kind of its own; `status` is that of HTTP
└── PeerUnreachable
    └── SubmissionUnknown   a request to queue a job got no readable answer: the job may exist

Beside them a client raises InputError (before anything is sent), AccessDenied (401 and 403), NotFound (404), TooLarge
(413, and what is over a limit here) and TooManyRequests (429, after all attempts).
"""

from acestep_serverless.client.songs import Job
from acestep_serverless.errors import PeerError, PeerUnreachable


class JobEnded(PeerError):
    """The job is final and has no output."""

    def __init__(self, job: Job, sentence: str) -> None:
        self.job = job
        super().__init__(sentence)


class JobFailed(JobEnded):
    """The handler or the endpoint gave the job up."""


class JobCancelled(JobEnded):
    """Somebody cancelled the job."""


class JobTimedOut(JobEnded):
    """The job ran or waited for longer than it may."""


class StillRunning(PeerError):
    """Whoever waited has no patience left; the job goes on."""

    def __init__(self, job: Job, seconds: float) -> None:
        self.job = job
        now = f"has not ended within {seconds:g} s" if seconds else f"is {job.state}"
        super().__init__(f"job {job.id} {now} and goes on: wait for it, or cancel it")


class RefusedByEndpoint(PeerError):
    """The endpoint answered with an error status."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


class SubmissionUnknown(PeerUnreachable):
    """Nobody knows whether the job was queued: the request was sent, and no readable answer came back."""

    def __init__(self, reason: str, base: str, *, listed: bool) -> None:
        look = f"look for it with GET {base}/requests" if listed else "look for it in the endpoint's console"
        super().__init__(f"the job may have been queued, or not: {reason}. It was not sent again; {look} before you do")
