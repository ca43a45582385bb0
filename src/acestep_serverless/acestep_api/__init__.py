"""What does an ACE-Step server look like? The REST API of ACE-Step 1.5 around any engine: `create_app`."""

from acestep_serverless.acestep_api.app import create_app
from acestep_serverless.acestep_api.scheduler import Keeping, Scheduler

__all__ = ["Keeping", "Scheduler", "create_app"]
