"""A webhook is told of the end of a job by a real endpoint, and one on this machine only when that is allowed."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from house import House, wait_until


@pytest.fixture
def listener():
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_end_of_a_job_is_told_where_it_is_allowed(tmp_path: Path, listener):
    url, heard = listener
    house = House(tmp_path / "data", "--workers", "0", webhook_private="true")
    try:
        job_id = house.post("run", {"input": {"caption": "x"}, "webhook": url})["id"]
        house.post(f"cancel/{job_id}")
        wait_until(lambda: heard, 40, "the webhook")
    finally:
        house.close()
    expected = {"id": job_id, "status": "CANCELLED", "input": {"caption": "x"}, "webhook": url}
    assert heard == [expected]


def test_an_address_of_this_machine_is_refused_by_default_and_the_log_says_why(tmp_path: Path, listener):
    url, heard = listener
    house = House(tmp_path / "data", "--workers", "0")
    try:
        job_id = house.post("run", {"input": {"caption": "x"}, "webhook": url})["id"]
        house.post(f"cancel/{job_id}")
        wait_until(lambda: "webhook not delivered" in house.log.read_text(), 40, "a word in the log")
    finally:
        house.close()
    assert heard == []
    assert "not on the public internet" in house.log.read_text()
