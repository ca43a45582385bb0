"""Is docs/operations.md the code in words? Its metrics, probes and alerts are compared with what the code has."""

import inspect
import re

from documents import blocks, read, table

from acestep_serverless.gateway import journal, probes
from acestep_serverless.gateway.metrics import HELD, METRICS, PREFIX
from acestep_serverless.registry.states import WORKER_STATES

OPERATIONS = "docs/operations.md"


def test_the_table_of_metrics_is_the_codes() -> None:
    rows = [
        [
            f"`{PREFIX}{name}`",
            metric.kind.__name__.lower(),
            ", ".join(f"`{label}`" for label in metric.labels) or "-",
            metric.meaning,
        ]
        for name, metric in METRICS.items()
    ]
    assert table(OPERATIONS, "Metric") == rows


def test_alerts_use_only_metrics_and_labels_that_exist() -> None:
    expressions = re.findall(r"^ +expr: (.+)$", blocks(OPERATIONS, "yaml")[1], re.MULTILINE)
    assert len(expressions) >= 5
    for expression in expressions:
        for name, labels in re.findall(rf"{PREFIX}(\w+)(?:\{{([^}}]*)\}})?", expression):
            assert name in METRICS, expression
            assert set(re.findall(r"(\w+)=", labels)) <= set(METRICS[name].labels), expression
        for label in re.findall(r"by \((\w+)\)", expression):
            assert all(label in METRICS[name].labels for name in re.findall(rf"{PREFIX}(\w+)", expression)), expression


def test_states_held_requests_and_times_are_the_codes() -> None:
    text = read(OPERATIONS)
    assert all(f"`{state}`" in text for state in WORKER_STATES)
    assert all(f"`/{name}`" in text or f"`{name}`" in text for name in HELD)
    assert f"answers within {probes.ANSWER_LIMIT:g} s" in text
    assert f"is `{journal.ELSEWHERE}`" in text
    assert "/livez" in text
    assert "job_name: acestep-serverless" in blocks(OPERATIONS, "yaml")[0]


def test_every_event_of_the_log_is_said_by_the_code() -> None:
    source = inspect.getsource(journal)
    for event, _, members in table(OPERATIONS, "Event")[:3]:
        assert f'"{event.strip("`")}"' in source
        for member in re.findall(r"`(\w+)`", members):
            assert re.search(rf"\b{member}=|\"{member}\"", source), member
