"""What does the HTTP stack itself reach? FastAPI routes without work on uvicorn, in a process of their own.

`python -m bench.bare PORT` serves `POST /run` and `GET /status/{id}` until it is ended.
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

APP = FastAPI()


class Body(BaseModel):
    """A job body as the gateway's clients send it."""

    input: dict[str, str | int]


@APP.post("/run")
async def run(_body: Body) -> dict[str, str]:
    """Answer what `/run` answers."""
    return {"id": "00000000-0000-0000-0000-000000000000-u1", "status": "IN_QUEUE"}


@APP.get("/status/{job_id}")
async def status(job_id: str) -> dict[str, str]:
    """Answer what `/status` answers of a job that waits."""
    return {"id": job_id, "status": "IN_QUEUE"}


if __name__ == "__main__":
    uvicorn.run(APP, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
