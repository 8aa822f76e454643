"""What the Python clients share: their arguments, their actions, and the lines they print."""

import argparse
import json
import sys

import anyio
import anyio.to_thread


def read_arguments():
    """The URL, the token if any, whether the era shall be the legacy one, and the names of the actions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token")
    parser.add_argument("--legacy", action="store_true")
    parser.add_argument("actions", nargs="*")
    return parser.parse_intermixed_args()


def print_line(step, **what):
    """One JSON line."""
    print(json.dumps({"step": step, **what}), flush=True)


def plain(model):
    """A pydantic model as it is on the wire."""
    return model and model.model_dump(mode="json", by_alias=True, exclude_none=True)


async def print_progress(progress, total, message):
    """The SDKs' progress callback."""
    print_line("progressed", progress=progress, total=total, message=message)


async def print_log(params):
    """The SDKs' logging callback."""
    print_line("logged", **plain(params))


KEY = {"dev.dormouse/idempotencyKey": "the same"}
"""The `_meta` of a call that shall be made once, whoever asks."""

FORM = {"username": "mouse", "email": "mouse@example.org"}
"""What a person fills in, whatever is asked."""

COMPLETION = {"role": "assistant", "content": {"type": "text", "text": "Cheese."}, "model": "none"}
"""What a model says, whatever is asked."""


async def line_of_input():
    """Whoever runs this says when the call has come far enough to be cancelled, and when that is seen."""
    await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


class Actions:
    """What an action's name does. A client says how it lists, pings, calls and cancels."""

    async def page(self, cursor):
        """One page of the tools, and the cursor of the next: both as the SDK has them."""
        raise NotImplementedError

    async def ping(self):
        raise NotImplementedError

    async def call(self, tool, arguments, progress=None, meta=None):
        raise NotImplementedError

    async def on_cancel(self):
        """What an SDK's user does besides leaving the scope of the call."""

    async def list(self):
        names, cursor, extra = [], None, {}
        while True:
            tools, cursor, extra = await self.page(cursor)
            names += [tool.name for tool in tools]
            if cursor is None:
                break
        print_line("listed", tools=names, **extra)

    async def cancel(self):
        async with anyio.create_task_group() as calls:
            calls.start_soon(self.call, "sleep", {"ms": 120_000})
            print_line("calling", tool="sleep")
            await line_of_input()
            await self.on_cancel()
            calls.cancel_scope.cancel()
        print_line("cancelled", tool="sleep")
        await line_of_input()

    async def perform(self, actions):
        """Runs the actions in order."""
        table = {
            "list": self.list,
            "ping": self.ping,
            "cancel": self.cancel,
            # Whoever runs this cuts the connection when progress is seen: the SDK takes it up again.
            "resume": lambda: self.call("test_reconnection", {}, progress=print_progress),
            # By its key, the call of whoever asked it first.
            "keyed": lambda: self.call("test_reconnection", {}, progress=print_progress, meta=KEY),
            "echo": lambda: self.call("echo", {"text": "zwölf Siebenschläfer 🐭"}),
            "add": lambda: self.call("add", {"a": 19, "b": 23}),
            "progress": lambda: self.call("progress", {}, progress=print_progress),
            "refuse": lambda: self.call("add", {"a": "nineteen"}),
            "unknown": lambda: self.call("no_such_tool", {}),
            "elicit": lambda: self.call("test_elicitation", {"message": "Who is it?"}),
            "sample": lambda: self.call("test_sampling", {"prompt": "Say cheese."}),
        }
        for action in actions:
            await table[action]()
