"""What does `generate` show? A progress bar while the song is made, then where it is and what it became."""

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from acestep_serverless.assembly.generate import generate_song
from acestep_serverless.errors import AcestepServerlessError
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import Settings

OUT = Console(highlight=False, soft_wrap=True)


def generate_here(settings: Settings, wish: Mapping[str, object], folder: Path) -> None:
    """Make songs with a progress bar, then print each path."""
    configure_logs("WARNING")
    columns = (TextColumn("{task.description:>24}"), BarColumn(40), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("loading", total=1.0)

        def report(news: Mapping[str, object]) -> None:
            fraction = news.get("progress")
            completed = float(fraction) if isinstance(fraction, int | float) else 0.0
            progress.update(bar, completed=completed, description=str(news.get("stage", "")))

        output = generate_song(settings, wish, folder, report)
    if error := output.get("error"):
        raise AcestepServerlessError(str(error))
    for line in song_lines(output):
        OUT.print(line, markup=False)


def song_lines(output: Mapping[str, object]) -> list[str]:
    """Describe a handler's output: a line for each song, and its warnings."""
    lines = []
    results = output.get("results")
    for song in results if isinstance(results, list) else []:
        metas = song.get("metas") or {}
        facts = [f"{song.get('seconds', 0):g} s", f"engine {song.get('engine')}", f"seed {song.get('seed')}"]
        facts += [
            f"{metas[name]} bpm" if name == "bpm" else str(metas[name])
            for name in ("bpm", "keyscale")
            if metas.get(name) not in (None, "", "N/A")
        ]
        lines.append(f"{song['file']}  ({', '.join(facts)})")
    warnings = output.get("warnings")
    lines += [f"note: {warning}" for warning in (warnings if isinstance(warnings, list) else [])]
    return lines
