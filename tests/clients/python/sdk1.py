"""The Python SDK 1.x as a client over WebSocket: runs the named actions in order, one JSON line
for each thing seen. The actions are the same in every client; the end-to-end tests read the lines.

    python sdk1.py ws://HOST:PORT/mcp [--token TOKEN] ACTION...
"""

import contextlib
import functools
import warnings

import anyio
import mcp.client.websocket as transport
from mcp import ClientSession, McpError, types

from lines import COMPLETION, FORM, Actions, hear, plain, print_line, print_log, read_arguments

# The transport says so on every use; which client speaks it is the point here.
warnings.simplefilter("ignore", DeprecationWarning)


class Session(Actions):
    """The actions over one session."""

    def prompt_reference(self, name):
        return types.PromptReference(type="ref/prompt", name=name)

    @contextlib.asynccontextmanager
    async def listening(self, uri):
        await self.peer.subscribe_resource(uri)
        yield

    async def page(self, cursor):
        page = await self.peer.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        return page.tools, page.nextCursor, {}

    async def ping(self):
        await self.peer.send_ping()
        print_line("ponged")

    async def call(self, tool, arguments, progress=None, meta=None):
        # This SDK has no call to cancel by: its user sends the notification and stops waiting.
        self.request_id = self.peer._request_id
        try:
            result = await self.peer.call_tool(tool, arguments, progress_callback=progress, meta=meta)
        except McpError as error:
            print_line("refused", tool=tool, code=error.error.code, message=error.error.message)
        else:
            print_line("called", tool=tool, result=plain(result))

    async def on_cancel(self):
        params = types.CancelledNotificationParams(requestId=self.request_id, reason="the client changed its mind")
        cancelled = types.CancelledNotification(params=params)
        await self.peer.send_notification(types.ClientNotification(cancelled))


async def fill_in(context, params: types.ElicitRequestParams):
    print_line("asked", method="elicitation/create", params=plain(params))
    return types.ElicitResult(action="accept", content=FORM)


async def complete(context, params: types.CreateMessageRequestParams):
    print_line("asked", method="sampling/createMessage", params=plain(params))
    return types.CreateMessageResult.model_validate(COMPLETION)


async def main():
    given = read_arguments()
    if given.token:
        # The transport cannot set headers; its connection can.
        headers = {"Authorization": f"Bearer {given.token}"}
        transport.ws_connect = functools.partial(transport.ws_connect, additional_headers=headers)
    async with (
        transport.websocket_client(given.url) as streams,
        ClientSession(
            *streams,
            logging_callback=print_log,
            message_handler=hear,
            elicitation_callback=fill_in,
            sampling_callback=complete,
        ) as session,
    ):
        hello = await session.initialize()
        print_line(
            "connected",
            server=plain(hello.serverInfo),
            protocol=hello.protocolVersion,
            capabilities=plain(hello.capabilities),
        )
        await Session(session).perform(given.actions)
    print_line("closed")


anyio.run(main)
