"""Is any JSON object either refused in sentences, or taken and fit to be sent on?"""

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from acestep_serverless.contract.acestep_parameters import read_parameters
from acestep_serverless.contract.music import MusicInput, parse_music_input
from acestep_serverless.contract.music_fields import SPECS
from acestep_serverless.errors import FieldProblem, InputError
from acestep_serverless.worker.submission import release_parameters

WORDS = ["1", "am", "drums", "cover", "mp3", "https://h/a", "A" * 80, " ", "2/4"]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(sorted(SPECS)) | st.text(max_size=8)


def taken(fields: dict[str, object]) -> tuple[MusicInput | None, Sequence[FieldProblem]]:
    try:
        return parse_music_input(fields), ()
    except InputError as error:
        return None, error.problems


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_any_object_is_refused_in_sentences_or_taken_and_can_be_sent(fields: dict[str, object]) -> None:
    request, problems = taken({"caption": "x", **fields})
    assert all(problem.allowed.startswith(("must ", "is not a known field")) for problem in problems)
    str(InputError(problems)).encode()
    if request is not None:
        read_parameters(json.loads(json.dumps(release_parameters(request), allow_nan=False)))
