"""On which road do agents come? Standard input and output of a program that they start, or HTTP on this machine."""

import asyncio
import sys
from typing import Any

import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server


async def on_standard_streams(server: Server[Any]) -> None:
    """Serve one agent until its end of the pipe closes."""
    async with stdio_server() as (reading, writing):
        await server.run(reading, writing, server.create_initialization_options())


async def on_http(server: Server[Any], host: str, port: int) -> None:
    """Serve agents of this machine at /mcp until Ctrl-C. The SDK refuses requests whose Host or Origin is elsewhere."""
    app = server.streamable_http_app(host=host)
    config = uvicorn.Config(app, host=host, port=port, log_level="warning")
    serving = _Announced(config)
    await asyncio.sleep(0)  # Where a Ctrl-C of meanwhile takes effect, before anything is open.
    await serving.serve()


class _Announced(uvicorn.Server):
    """Says where it is as soon as it listens: port 0 takes a free one."""

    async def startup(self, sockets: Any = None) -> None:
        """Listen, then say the address on standard error."""
        await super().startup(sockets)
        for listening in self.servers:
            for socket in listening.sockets:
                host, port = socket.getsockname()[:2]
                sys.stderr.write(f"tools for agents at http://{host}:{port}/mcp\n")
                sys.stderr.flush()
