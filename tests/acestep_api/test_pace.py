"""How long will it take? The average of the last fifty tasks, and the guess that is made of it."""

import pytest

from acestep_serverless.acestep_api.pace import Pace


def test_before_the_first_end_the_average_is_upstreams_and_nothing_is_guessed() -> None:
    pace = Pace()
    assert pace.average == 5.0
    assert pace.estimate(1, 0.0) is None


def test_the_average_is_that_of_the_last_fifty() -> None:
    pace = Pace()
    for seconds in [1_000.0, *[2.0] * 25, *[4.0] * 25]:
        pace.note(seconds, 1)
    assert pace.average == 3.0


@pytest.mark.parametrize(
    ("place", "running_for", "seconds"),
    [
        (0, 4.0, 6.0),  # itself running
        (0, 99.0, 0.0),
        (1, 0.0, 10.0),  # the engine is free
        (1, 4.0, 16.0),
        (3, 4.0, 26.0),  # two tasks before it, of which two share a batch
    ],
)
def test_a_guess_counts_what_runs_what_waits_before_and_the_task_itself(
    place: int, running_for: float, seconds: float
) -> None:
    pace = Pace()
    pace.note(10.0, 2)
    assert pace.estimate(place, running_for) == pytest.approx(seconds)
