"""Does the character NUL, which PostgreSQL takes in no text, end in a sentence wherever it is spelled?"""

import pytest

CLIENT = ["status/%00", "status/a%00b", "status-sync/%00", "stream/%00", "requests?status=%00", "batch/%00"]


@pytest.mark.parametrize("path", CLIENT)
async def test_a_url_with_nul_names_nothing_that_is_known(house, path):
    answer = await house.get(path)
    assert answer.status_code == (400 if "?" in path else 404), answer.text


@pytest.mark.parametrize("path", ["cancel/%00", "retry/%00"])
async def test_an_act_on_an_id_with_nul_is_refused(house, path):
    assert (await house.post(path, {})).status_code == 404


async def test_files_and_workers_with_nul_are_refused(house):
    assert (await house.http.get("/v1/audio?filename=%00.mp3")).status_code == 404
    assert (await house.get("job-take/%00?token=x")).status_code == 401
    worker = await house.hire()
    assert (await worker.ping("\0")).status_code == 200
    assert (await worker.done("%00", "{}")).status_code == 200


async def test_nul_in_bodies_and_results_is_kept_or_shown_as_what_it_is(house):
    worker = await house.hire()
    good, bad = await house.run(caption="a\0b"), await house.run(caption="x")
    assert (await worker.take())["input"] == {"caption": "a\0b"}
    await worker.done(good, r'{"output": {"text": "c\u0000d"}}')
    await worker.take()
    await worker.done(bad, r'{"error": "e\u0000f"}')
    assert (await house.status(good))["output"] == {"text": "c\0d"}
    assert (await house.status(bad))["error"] == "e\N{REPLACEMENT CHARACTER}f"
