"""Which key does `make song` send? One that opens the endpoint it asks, read as the endpoint itself reads it."""

import pytest

from acestep_serverless.assembly.song import authorization
from acestep_serverless.settings import Settings


@pytest.mark.parametrize(
    ("api_keys", "sent"),
    [
        ("mine", {"Authorization": "Bearer mine"}),
        ("Sk_A:B", {"Authorization": "Bearer Sk_A:B"}),
        ("other:theirs,mine", {"Authorization": "Bearer mine"}),
        ("ace-step:mine", {"Authorization": "Bearer mine"}),
        ("ace-step:with:colons", {"Authorization": "Bearer with:colons"}),
        ("other:theirs", {}),
        ("", {}),
    ],
)
def test_the_key_is_one_of_the_endpoint(api_keys: str, sent: dict[str, str]) -> None:
    assert authorization(Settings.load(api_keys=api_keys, endpoint_id="ace-step")) == sent
