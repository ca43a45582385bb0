"""How do we speak to other servers? As a client of any endpoint, to any ACE-Step API about tasks, and to our gateway
about workers.

`Client` and `AsyncClient` are for everybody's programs: `from acestep_serverless.client import Client`.
"""

from acestep_serverless.client.address import Access, Address, access_from, read_address
from acestep_serverless.client.conversation import Patience, generation_of
from acestep_serverless.client.endings import (
    JobCancelled,
    JobEnded,
    JobFailed,
    JobTimedOut,
    RefusedByEndpoint,
    StillRunning,
    SubmissionUnknown,
)
from acestep_serverless.client.endpoint import AsyncClient, Client
from acestep_serverless.client.fields import MusicFields
from acestep_serverless.client.songs import Generation, Job, Song, StoredFile

__all__ = [
    "Access",
    "Address",
    "AsyncClient",
    "Client",
    "Generation",
    "Job",
    "JobCancelled",
    "JobEnded",
    "JobFailed",
    "JobTimedOut",
    "MusicFields",
    "Patience",
    "RefusedByEndpoint",
    "Song",
    "StillRunning",
    "StoredFile",
    "SubmissionUnknown",
    "access_from",
    "generation_of",
    "read_address",
]
