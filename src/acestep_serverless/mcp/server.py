"""How do the tools reach an agent? A server of the official SDK lists, checks and calls them, and tells of progress."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import mcp_types as types
from jsonschema import Draft202012Validator
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.shared.exceptions import MCPError

from acestep_serverless import __version__
from acestep_serverless.client import Job
from acestep_serverless.contract.music_shown import printable, shown
from acestep_serverless.errors import AcestepServerlessError, FieldProblem, InputError
from acestep_serverless.mcp.acting import Acting, Answer
from acestep_serverless.mcp.tools import SPEC_OF, TOOLS, ToolSpec

INSTRUCTIONS = (
    "Makes music. Call generate_song with a caption, and lyrics if it is to be sung; follow_job until the job has "
    "ended; fetch_songs to save the files. edit_song changes a finished song. An error names the field that is wrong "
    "and what it takes."
)

NOT_OF_CONTRACT = frozenset({"job", "song", "wait_seconds", "task_type"})
"""What the tools that make songs take beside the fields of the handler, or take more narrowly."""

Context = ServerRequestContext[Any, Any]


def build_server(acting: Acting) -> Server[Any]:
    """Build a server of the tools over one endpoint; it is ready for any transport of the SDK."""

    async def listed(context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_listed(tool) for tool in TOOLS])

    async def called(context: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
        tool = SPEC_OF.get(params.name)
        if tool is None:
            raise MCPError(code=types.INVALID_PARAMS, message=f"there is no tool of the name {params.name[:80]!r}")
        try:
            arguments = _checked(tool, params.arguments or {})
            async with _telling(context) as told:
                return _result(await acting.call(tool.name, arguments, told))
        except AcestepServerlessError as error:
            return types.CallToolResult(content=[_text(str(error))], is_error=True)

    return Server(
        "acestep-serverless",
        version=__version__,
        title="Music with ACE-Step",
        instructions=INSTRUCTIONS,
        on_list_tools=listed,
        on_call_tool=called,
    )


def _listed(tool: ToolSpec) -> types.Tool:
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=tool.schema,
        output_schema=dict(tool.output),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.read_only or tool.hints.get("idempotent", False),
            open_world_hint=tool.hints.get("openWorld", False),
        ),
    )


def _checked(tool: ToolSpec, arguments: dict[str, Any]) -> dict[str, Any]:
    """Check what the tool itself takes; of the fields of a song the contract says more than a schema can."""
    makes = "caption" in tool.properties
    own = {name: said for name, said in tool.properties.items() if not makes or name in NOT_OF_CONTRACT}
    unknown = [] if makes else [name for name in arguments if name not in own]
    problems = [FieldProblem(printable(name[:64]), shown(arguments[name]), _takes(tool)) for name in unknown]
    schema: dict[str, Any] = {"type": "object", "properties": own, "required": list(tool.required)}
    problems += [_problem(error) for error in Draft202012Validator(schema).iter_errors(arguments)]
    if problems:
        raise InputError(problems[:16])
    return arguments


def _takes(tool: ToolSpec) -> str:
    return f"is unknown; {tool.name} takes {', '.join(tool.properties)}"


def _problem(error: Any) -> FieldProblem:
    """Say what the validator found as all errors here do: the field, what it takes, what was given."""
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return FieldProblem(missing, "nothing", "must be given")
    rule = error.validator_value
    allowed = f"must be one of {', '.join(rule)}" if error.validator == "enum" else f"{error.validator} must be {rule}"
    return FieldProblem(str(error.absolute_path[0]), shown(error.instance), allowed)


def _result(answer: Answer) -> types.CallToolResult:
    content: list[types.ContentBlock] = [_text(_sentence(answer))]
    content += [
        types.ResourceLink(uri=path.as_uri(), name=path.name, mime_type=kind or None) for path, kind in answer.files
    ]
    content += [types.AudioContent(data=data, mime_type=kind) for data, kind in answer.audio]
    return types.CallToolResult(content=content, structured_content=dict(answer.data))


def _sentence(answer: Answer) -> str:
    """The answer in words, for clients that show no structured data."""
    data = answer.data
    if "jobs" in data:
        return "\n".join(f"{job['job']} {job['state']}" for job in data["jobs"]) or "no jobs"
    if "files" in data:
        return "\n".join(data["files"]) or "the job has no songs"
    songs = [
        f"song {song['song']}: {song['seconds']} s, seed {song['seed']}, {song['engine']}" for song in data["songs"]
    ]
    return printable("\n".join([f"job {data['job']} {data['state']}", *songs, *data.get("warnings", ()), data["next"]]))


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=printable(text))


@asynccontextmanager
async def _telling(context: Context) -> AsyncIterator[Callable[[Job], object]]:
    """Give what tells the agent of a job's progress, in order, without making anybody wait for it."""
    news: asyncio.Queue[Job] = asyncio.Queue()

    async def tell() -> None:
        reached = 0.0
        while True:
            job = await news.get()
            reached = max(reached, 1.0 if job.final else job.progress or 0.0)
            words = job.stage or job.state.lower().replace("_", " ")
            await context.session.report_progress(reached, 1.0, printable(words))
            news.task_done()

    teller = asyncio.create_task(tell())
    try:
        yield news.put_nowait
        done = asyncio.ensure_future(news.join())
        await asyncio.wait({done, teller}, return_when=asyncio.FIRST_COMPLETED)
        done.cancel()
    finally:
        teller.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await teller
