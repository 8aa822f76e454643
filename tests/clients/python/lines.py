"""What both Python clients share: their arguments, their actions, and the lines they print."""

import argparse
import json
import sys

import anyio.to_thread


def read_arguments():
    """The URL, the token if any, and the names of the actions."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--token")
    parser.add_argument("actions", nargs="*")
    given = parser.parse_intermixed_args()
    return given.url, given.token, given.actions


def print_line(step, **what):
    """One JSON line."""
    print(json.dumps({"step": step, **what}), flush=True)


async def print_progress(progress, total, message):
    """The SDKs' progress callback."""
    print_line("progressed", progress=progress, total=total, message=message)


async def line_of_input():
    """Whoever runs this says when the call has come far enough to be cancelled, and when that is seen."""
    await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


def action_table(client):
    """The actions that are plain calls, and those that `client` has of its own."""
    return {
        "list": client.list,
        "ping": client.ping,
        "cancel": client.cancel,
        "echo": lambda: client.call("echo", {"text": "zwölf Siebenschläfer 🐭"}),
        "add": lambda: client.call("add", {"a": 19, "b": 23}),
        "progress": lambda: client.call("progress", {}, progress_callback=print_progress),
        "refuse": lambda: client.call("add", {"a": "nineteen"}),
        "unknown": lambda: client.call("no_such_tool", {}),
    }


async def perform(table, actions):
    """Runs the actions in order."""
    for action in actions:
        await table[action]()
