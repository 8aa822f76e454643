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


HEARD = {"notifications/resources/updated": anyio.Event(), "notifications/tools/list_changed": anyio.Event()}
"""What a server tells without being asked."""


async def hear(message):
    """The SDKs' message handler."""
    notification = getattr(message, "root", message)
    method = getattr(notification, "method", None)
    if method in HEARD:
        print_line("heard", **plain(notification))
        HEARD[method].set()


async def line_of_input():
    """Whoever runs this says when to go on."""
    await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


class Actions:
    """What an action's name does. A client says how it lists, pings, calls, listens and cancels."""

    def __init__(self, peer):
        self.peer = peer

    async def ask(self, method, *arguments):
        """A request by the name that the SDKs have for it; the result as it is on the wire."""
        return plain(await getattr(self.peer, method)(*arguments))

    def prompt_reference(self, name):
        """What a completion is for, in the SDK's type."""
        raise NotImplementedError

    def listening(self, uri):
        """A context in which the server tells of a resource and of its tools."""
        raise NotImplementedError

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

    async def pause(self):
        """Something happens to the platform meanwhile."""
        print_line("paused")
        await line_of_input()

    async def cancel(self):
        async with anyio.create_task_group() as calls:
            calls.start_soon(self.call, "sleep", {"ms": 120_000})
            print_line("calling", tool="sleep")
            await line_of_input()
            await self.on_cancel()
            calls.cancel_scope.cancel()
        print_line("cancelled", tool="sleep")
        await line_of_input()

    async def features(self):
        """Everything that is no tool."""
        name = "test_prompt_with_arguments"
        prompts = await self.ask("list_prompts")
        prompt = await self.ask("get_prompt", name, {"arg1": "cheese", "arg2": "ham"})
        resources = await self.ask("list_resources")
        templates = await self.ask("list_resource_templates")
        text = await self.ask("read_resource", "test://static-text")
        data = await self.ask("read_resource", "test://template/7/data")
        completion = await self.ask("complete", self.prompt_reference(name), {"name": "arg1", "value": "par"})
        print_line(
            "featured",
            prompts=[prompt["name"] for prompt in prompts["prompts"]],
            prompt=prompt["messages"][0]["content"]["text"],
            resources=[resource["uri"] for resource in resources["resources"]],
            templates=[template["uriTemplate"] for template in templates["resourceTemplates"]],
            text=text["contents"][0]["text"],
            data=data["contents"][0]["text"],
            completion=completion["completion"]["values"],
        )

    async def watch(self):
        """A resource and the list of tools change while the client listens."""
        async with self.listening("test://watched-resource"):
            await self.call("test_trigger_resource_change", {})
            await HEARD["notifications/resources/updated"].wait()
            await self.call("test_trigger_tool_change", {})
            await HEARD["notifications/tools/list_changed"].wait()

    async def happen(self):
        """Whoever runs this sends an event of the type that the client listens for."""
        uri = "events://com.example.order"
        async with self.listening(uri):
            print_line("listening")
            await HEARD["notifications/resources/updated"].wait()
            read = await self.ask("read_resource", uri)
            print_line("read", **json.loads(read["contents"][0]["text"]))

    async def perform(self, actions):
        """Runs the actions in order."""
        table = {
            "list": self.list,
            "ping": self.ping,
            "features": self.features,
            "watch": self.watch,
            "happen": self.happen,
            "pause": self.pause,
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
