"""How is a song asked for on the command line? Flags, a file or a list; made here, or at an endpoint."""

import asyncio
import os
import secrets
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from acestep_serverless.assembly.ledger import Ledger, keys_of
from acestep_serverless.assembly.many import Made, Run
from acestep_serverless.assembly.reach import access_of, open_endpoint
from acestep_serverless.assembly.wishes import read_wishes
from acestep_serverless.cli.exits import SOME, ends_with_code
from acestep_serverless.cli.flags import AsJson, EngineName
from acestep_serverless.cli.making import Bars, say_made
from acestep_serverless.cli.words import say
from acestep_serverless.client import Access
from acestep_serverless.client.address import URL_VARIABLE
from acestep_serverless.contract.music_fields import AUDIO_FORMATS
from acestep_serverless.contract.music_tasks import TASKS
from acestep_serverless.logs import configure_logs
from acestep_serverless.settings import PREFIX, Settings

Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="URL", help=f"an endpoint's URL, ours or Runpod's [{URL_VARIABLE}]")
]
RemoteId = Annotated[
    str | None, typer.Option("--endpoint-id", help="which endpoint there, if the URL does not end with it [ace-step]")
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        help=f"file with the endpoint's key and nothing else; or set {PREFIX}API_KEY, for Runpod RUNPOD_API_KEY"
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="folder for the songs")]


def _words_of(*words: str) -> Any:
    return lambda incomplete: [word for word in words if word.startswith(incomplete)]


@ends_with_code
def generate(
    caption: Annotated[str | None, typer.Argument(help="what it should sound like")] = None,
    lyrics: Annotated[str | None, typer.Option(help="words, with sections such as [Verse] and [Chorus]")] = None,
    duration: Annotated[int | None, typer.Option(help="seconds, 1 to 600 [90]")] = None,
    batch_size: Annotated[int | None, typer.Option(help="how many songs, 1 to 8 [1]")] = None,
    seed: Annotated[int | None, typer.Option(help="0 to 4294967295; the same seed gives the same song")] = None,
    audio_format: Annotated[
        str | None, typer.Option(help="mp3, wav, wav32, flac, opus or aac", autocompletion=_words_of(*AUDIO_FORMATS))
    ] = None,
    task_type: Annotated[
        str | None, typer.Option(help="text2music, cover, repaint, ... (docs/api.md)", autocompletion=_words_of(*TASKS))
    ] = None,
    src_audio: Annotated[
        str | None, typer.Option(help="audio to work on: a file here, an https URL, the file of an earlier job")
    ] = None,
    reference_audio: Annotated[str | None, typer.Option(help="audio to sound like, given in the same ways")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="any other input field (docs/api.md); --bpm 96 does too"),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--from", help="YAML, JSON or JSON lines: one input, or a list of many")
    ] = None,
    engine: EngineName = None,
    endpoint: Endpoint = None,
    endpoint_id: RemoteId = None,
    key_file: KeyFile = None,
    output: Output = Path("outputs"),
    jobs: Annotated[int, typer.Option(min=1, max=64, help="of a list: how many at once")] = 4,
    resend: Annotated[bool, typer.Option(help="of a list: send again what was in doubt")] = False,
    check: Annotated[bool, typer.Option(help="--no-check sends any input, for other handlers")] = True,
    as_json: AsJson = False,
) -> None:
    """Make songs, here or at an endpoint: from flags, or from a file of one or many."""
    given = {"caption": caption, "lyrics": lyrics, "duration": duration, "batch_size": batch_size, "seed": seed}
    given |= {"audio_format": audio_format, "task_type": task_type}
    given |= {"src_audio": src_audio, "reference_audio": reference_audio}
    access = access_of(os.environ, endpoint, endpoint_id, key_file, engine)
    wishes = read_wishes(file, given, tuple(settings or ()), check=check)
    making = _Making(access, engine, output, as_json, check)
    asyncio.run(making.many(wishes.items, jobs, resend) if wishes.listed else making.one(wishes.items[0]))


@dataclass(frozen=True, slots=True)
class _Making:
    """One run of the command: at an endpoint, or (`access` None) in this process."""

    access: Access | None
    engine: str | None
    output: Path
    as_json: bool
    check: bool

    def settings(self) -> Settings:
        """Read the settings, which only an engine in this process needs."""
        configure_logs("WARNING")
        return Settings.load(engine=self.engine)

    async def one(self, wish: Mapping[str, Any]) -> None:
        """Make one wish."""
        with Bars([_name(wish)], listed=False) as bars:
            async with open_endpoint(self.access, self.settings, bars.loading, eager=True) as songs:
                job = await songs.submit(wish, check=self.check)
                if self.access is not None:
                    with bars.away():
                        say(f"job {job.id} at {self.access.address.base}", aside=True)
                generation = await songs.wait(job, told=partial(bars.see, 0))
                stem = "" if self.access is not None else f"song-{secrets.token_hex(4)}"
                files = await songs.save(generation, self.output, stem=stem)
        say_made(Made(0, files, generation, job_id=job.id), as_json=self.as_json, listed=False)

    async def many(self, wishes: tuple[dict[str, Any], ...], at_once: int, resend: bool) -> None:
        """Make a list, or what is left of it. Ends with the code of SOME when an item was not made."""
        with closing(Ledger(self.output)) as ledger:
            made = await self._listed(ledger, wishes, at_once, resend)
        failed = sum(1 for each in made if each.error is not None)
        say(f"{len(made) - failed} of {len(made)} made, {sum(each.kept for each in made)} of them before", aside=True)
        if failed:
            raise typer.Exit(SOME.code)

    async def _listed(
        self, ledger: Ledger, wishes: tuple[dict[str, Any], ...], at_once: int, resend: bool
    ) -> list[Made]:
        name = "" if self.access is None else self.access.address.base
        left = not ledger.has_all(keys_of(wishes))
        with Bars([_name(wish) for wish in wishes], listed=True) as bars:

            def tell(made: Made) -> None:
                bars.over(made)
                with bars.away():
                    say_made(made, as_json=self.as_json, listed=True)

            async with open_endpoint(self.access, self.settings, bars.loading, eager=left) as songs:
                run = Run(songs, name, ledger, bars.see, at_once, resend, self.check)
                return await run.make(wishes, tell)


def _name(wish: Mapping[str, Any]) -> str:
    return str(wish.get("caption") or wish.get("task_type") or "song")
