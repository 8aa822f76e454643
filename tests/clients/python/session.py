"""The Python SDK 1.x as a client over WebSocket: runs the named actions in order, one JSON line
for each thing seen. The actions are the same in every client; the end-to-end tests read the lines.

    python session.py ws://HOST:PORT/mcp [--token TOKEN] ACTION...
"""

import functools
import warnings

import anyio
import mcp.client.websocket as transport
from mcp import ClientSession, McpError, types

from lines import action_table, line_of_input, perform, print_line, read_arguments

# The transport says so on every use; which client speaks it is the point here.
warnings.simplefilter("ignore", DeprecationWarning)


class Actions:
    """What an action's name does, over one session."""

    def __init__(self, session: ClientSession):
        self.session = session

    async def list(self):
        names, cursor = [], None
        while True:
            page = await self.session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
            names += [tool.name for tool in page.tools]
            cursor = page.nextCursor
            if cursor is None:
                break
        print_line("listed", tools=names)

    async def ping(self):
        await self.session.send_ping()
        print_line("ponged")

    async def call(self, tool, arguments, **options):
        try:
            result = await self.session.call_tool(tool, arguments, **options)
        except McpError as error:
            print_line("refused", tool=tool, code=error.error.code, message=error.error.message)
        else:
            print_line("called", tool=tool, result=result.model_dump(mode="json", by_alias=True, exclude_none=True))

    async def cancel(self):
        # This SDK has no call for it: its user sends the notification and stops waiting.
        request_id = self.session._request_id
        async with anyio.create_task_group() as calls:
            calls.start_soon(self.call, "sleep", {"ms": 120_000})
            print_line("calling", tool="sleep")
            await line_of_input()
            params = types.CancelledNotificationParams(requestId=request_id, reason="the client changed its mind")
            await self.session.send_notification(
                types.ClientNotification(types.CancelledNotification(params=params))
            )
            calls.cancel_scope.cancel()
        print_line("cancelled", tool="sleep")
        await line_of_input()


async def log(params: types.LoggingMessageNotificationParams):
    print_line("logged", **params.model_dump(mode="json", exclude_none=True))


async def main():
    url, token, actions = read_arguments()
    if token:
        # The transport cannot set headers; its connection can.
        headers = {"Authorization": f"Bearer {token}"}
        transport.ws_connect = functools.partial(transport.ws_connect, additional_headers=headers)
    async with transport.websocket_client(url) as streams, ClientSession(*streams, logging_callback=log) as session:
        hello = await session.initialize()
        print_line(
            "connected",
            server=hello.serverInfo.model_dump(mode="json", exclude_none=True),
            protocol=hello.protocolVersion,
            capabilities=hello.capabilities.model_dump(mode="json", exclude_none=True),
        )
        await perform(action_table(Actions(session)), actions)
    print_line("closed")


anyio.run(main)
