"""The list of an endpoint's jobs: newest first, in pages, by state, and nobody else's."""

import pytest
from gateway_house import open_house


async def test_jobs_are_listed_newest_first_in_pages_without_their_outputs(house):
    ids = [await house.run() for _ in range(5)]
    worker = await house.hire()
    await worker.take()
    await worker.done(ids[0], '{"output": "long"}')
    whole = (await house.get("requests")).json()
    assert [job["id"] for job in whole["requests"]] == ids[::-1]
    assert {name: whole[name] for name in ("total", "offset", "limit", "hasMore")} == {
        "total": 5,
        "offset": 0,
        "limit": 50,
        "hasMore": False,
    }
    assert whole["requests"][-1]["status"] == "COMPLETED"
    assert "output" not in whole["requests"][-1]
    page = (await house.get("requests?limit=2&offset=2")).json()
    assert [job["id"] for job in page["requests"]] == [ids[2], ids[1]]
    assert page["hasMore"] is True


async def test_a_state_chooses_among_them(house):
    kept, dropped = await house.run(), await house.run()
    await house.post(f"cancel/{dropped}")
    for state, expected in (("CANCELLED", [dropped]), ("IN_QUEUE", [kept]), ("FAILED", [])):
        answer = (await house.get(f"requests?status={state}")).json()
        assert ([job["id"] for job in answer["requests"]], answer["total"]) == (expected, len(expected))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
        ("status=DONE", "status"),
    ],
)
async def test_wrong_words_are_named(house, query, word):
    answer = await house.get(f"requests?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"{word}: must be")


async def test_another_endpoints_jobs_are_not_in_the_list(tmp_path):
    async with open_house(tmp_path / "data", api_keys="ours,other:theirs") as house:
        ours, theirs = {"Authorization": "ours"}, {"Authorization": "theirs"}
        await house.post("run", {"input": {"caption": "x"}}, **ours)
        answer = await house.http.get("/v2/other/requests", headers=theirs)
        assert answer.json()["requests"] == []
