"""Does the SDK always get an answer, whatever goes wrong around the handler?"""

from structlog.testing import capture_logs

from acestep_serverless.clock import SYSTEM_CLOCK
from acestep_serverless.worker.loop import JobHandler, Tools


async def test_what_fails_unexpectedly_becomes_a_sentence_without_a_traceback() -> None:
    async def open_tools() -> Tools:
        raise RuntimeError("no sound card at http://gateway/?token=secret")

    handler = JobHandler(open_tools, lambda job, progress: None, SYSTEM_CLOCK)
    with capture_logs() as logs:
        output = await handler({"id": "job-1", "input": {}})
    assert output == {
        "error": "the worker failed unexpectedly: RuntimeError: no sound card at http://gateway/?token=..."
    }
    assert logs[0]["job"] == "job-1"
