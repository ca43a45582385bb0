"""What does `doctor` print? A line for each finding and the command that mends it, or one JSON line."""

import json
from dataclasses import asdict

from rich.console import Console

from acestep_serverless.assembly.report import Finding, examine
from acestep_serverless.settings import Settings

OUT = Console(highlight=False, soft_wrap=True)


def print_report(settings: Settings, *, as_json: bool) -> int:
    """Print the doctor's findings; the exit code is 1 when something needed is missing."""
    findings = examine(settings)
    if as_json:
        OUT.print(json.dumps([asdict(finding) for finding in findings]), markup=False)
    else:
        for finding in findings:
            mend = f"\n      mend: {finding.mend}" if finding.mend else ""
            OUT.print(f"{_mark(finding):8}{finding.name}: {finding.text}{mend}", markup=False)
    return 0 if all(finding.well or not finding.needed for finding in findings) else 1


def _mark(finding: Finding) -> str:
    return "ok" if finding.well else "MISSING" if finding.needed else "absent"
