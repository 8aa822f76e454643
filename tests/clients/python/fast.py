"""FastMCP's client over Streamable HTTP: runs the named actions in order, one JSON line for each
thing seen. The actions are the same in every client; the end-to-end tests read the lines.

    python fast.py http://HOST:PORT/mcp [--token TOKEN] [--legacy] ACTION...

Unless told to be a client of the legacy era, it asks the server which ones it speaks.
"""

import anyio
import mcp_types
from fastmcp import Client
from mcp import MCPError

from lines import COMPLETION, FORM, Actions, plain, print_line, print_log, read_arguments


class Calls(Actions):
    """The actions over one client."""

    def prompt_reference(self, name):
        return mcp_types.PromptReference(name=name)

    async def ask(self, method, *arguments):
        return await super().ask(f"{method}_mcp", *arguments)

    async def page(self, cursor):
        page = await self.peer.list_tools_mcp(cursor=cursor)
        return page.tools, page.next_cursor, {}

    async def ping(self):
        try:
            await self.peer.ping()
        except MCPError as error:
            print_line("refused", tool="ping", code=error.code, message=error.message)
        else:
            print_line("ponged")

    async def call(self, tool, arguments, progress=None, meta=None):
        try:
            result = await self.peer.call_tool_mcp(tool, arguments, progress_handler=progress, meta=meta)
        except MCPError as error:
            print_line("refused", tool=tool, code=error.code, message=error.message)
        else:
            print_line("called", tool=tool, result=plain(result))


async def fill_in(message, answer_type, params, context):
    print_line("asked", method="elicitation/create", params=plain(params))
    return FORM


async def complete(messages, params, context):
    print_line("asked", method="sampling/createMessage", params=plain(params))
    return COMPLETION["content"]["text"]


async def main():
    given = read_arguments()
    async with Client(
        given.url,
        auth=given.token,
        mode="legacy" if given.legacy else "auto",
        log_handler=print_log,
        elicitation_handler=fill_in,
        sampling_handler=complete,
    ) as client:
        print_line(
            "connected",
            server=plain(client.server_info),
            protocol=client.protocol_version,
        )
        await Calls(client).perform(given.actions)
    print_line("closed")


anyio.run(main)
