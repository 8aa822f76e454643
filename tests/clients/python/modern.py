"""The Python SDK 2.x as a client of the modern era (2026-07-28) over Streamable HTTP: runs the
named actions in order, one JSON line for each thing seen. The actions are the same in every
client; the end-to-end tests read the lines.

    python modern.py http://HOST:PORT/mcp [--token TOKEN] ACTION...
"""

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from lines import action_table, line_of_input, perform, print_line, read_arguments


class Actions:
    """What an action's name does, over one client."""

    def __init__(self, client: Client):
        self.client = client

    async def list(self):
        names, cursor = [], None
        while True:
            page = await self.client.list_tools(cursor=cursor, cache_mode="bypass")
            names += [tool.name for tool in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        print_line("listed", tools=names, ttl_ms=page.ttl_ms, cache_scope=page.cache_scope)

    async def ping(self):
        # The modern era has none: the platform must say that it knows no such method.
        try:
            await self.client.send_ping()
        except MCPError as error:
            print_line("refused", tool="ping", code=error.code, message=error.message)
        else:
            print_line("ponged")

    async def call(self, tool, arguments, **options):
        try:
            result = await self.client.call_tool(tool, arguments, **options)
        except MCPError as error:
            print_line("refused", tool=tool, code=error.code, message=error.message)
        else:
            print_line("called", tool=tool, result=result.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def cancel(self):
        # In this era a client cancels by closing the response stream; leaving the scope does.
        async with anyio.create_task_group() as calls:
            calls.start_soon(self.call, "sleep", {"ms": 120_000})
            print_line("calling", tool="sleep")
            await line_of_input()
            calls.cancel_scope.cancel()
        print_line("cancelled", tool="sleep")
        await line_of_input()


async def log(params):
    print_line("logged", **params.model_dump(mode="json", exclude_none=True))


async def main():
    url, token, actions = read_arguments()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    # "auto" probes server/discover and falls back to the handshake; the version printed tells
    # which it was.
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode="auto",
            logging_callback=log,
            log_level="debug",
        ) as client,
    ):
        discovered = client.session.discover_result
        print_line(
            "connected",
            server=client.server_info and client.server_info.model_dump(mode="json", exclude_none=True),
            protocol=client.protocol_version,
            capabilities=client.server_capabilities.model_dump(mode="json", exclude_none=True),
            supported=discovered and discovered.supported_versions,
        )
        await perform(action_table(Actions(client)), actions)
    print_line("closed")


anyio.run(main)
