"""The Python SDK 2.x as a client over Streamable HTTP: runs the named actions in order, one JSON
line for each thing seen. The actions are the same in every client; the end-to-end tests read the
lines.

    python sdk2.py http://HOST:PORT/mcp [--token TOKEN] [--legacy] ACTION...

Unless told to be a client of the legacy era, it asks the server which ones it speaks.
"""

import contextlib
import warnings

import anyio
import httpx2
import mcp_types
from mcp import Client, MCPDeprecationWarning, MCPError
from mcp.client.streamable_http import streamable_http_client

from lines import COMPLETION, FORM, Actions, hear, plain, print_line, print_log, read_arguments

# That these are things of one era only is what the actions are for.
warnings.simplefilter("ignore", MCPDeprecationWarning)


class Calls(Actions):
    """The actions over one client."""

    def prompt_reference(self, name):
        return mcp_types.PromptReference(name=name)

    @contextlib.asynccontextmanager
    async def listening(self, uri):
        if self.peer.protocol_version == "2026-07-28":
            async with self.peer.listen(tools_list_changed=True, resource_subscriptions=[uri]):
                yield
        else:
            await self.peer.subscribe_resource(uri)
            yield

    async def page(self, cursor):
        page = await self.peer.list_tools(cursor=cursor, cache_mode="bypass")
        return page.tools, page.next_cursor, {"ttl_ms": page.ttl_ms, "cache_scope": page.cache_scope}

    async def ping(self):
        # The modern era has none: the platform must say that it knows no such method.
        try:
            await self.peer.send_ping()
        except MCPError as error:
            print_line("refused", tool="ping", code=error.code, message=error.message)
        else:
            print_line("ponged")

    async def call(self, tool, arguments, progress=None, meta=None):
        try:
            result = await self.peer.call_tool(tool, arguments, progress_callback=progress, meta=meta)
        except MCPError as error:
            print_line("refused", tool=tool, code=error.code, message=error.message)
        else:
            print_line("called", tool=tool, result=plain(result))


async def fill_in(context, params):
    print_line("asked", method="elicitation/create", params=plain(params))
    return mcp_types.ElicitResult(action="accept", content=FORM)


async def complete(context, params):
    print_line("asked", method="sampling/createMessage", params=plain(params))
    return mcp_types.CreateMessageResult.model_validate(COMPLETION)


async def main():
    given = read_arguments()
    headers = {"Authorization": f"Bearer {given.token}"} if given.token else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(
            streamable_http_client(given.url, http_client=http),
            mode="legacy" if given.legacy else "auto",
            logging_callback=print_log,
            log_level="debug",
            message_handler=hear,
            elicitation_callback=fill_in,
            sampling_callback=complete,
        ) as client,
    ):
        discovered = client.session.discover_result
        print_line(
            "connected",
            server=plain(client.server_info),
            protocol=client.protocol_version,
            capabilities=plain(client.server_capabilities),
            supported=discovered and discovered.supported_versions,
        )
        await Calls(client).perform(given.actions)
    print_line("closed")


anyio.run(main)
