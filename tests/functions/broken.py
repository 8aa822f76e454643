"""A function that breaks the contract, in the way that its first argument names.

It gets its listener as standard input. Its manifest is right (but for `manifest`) and it says that
it is ready, so that it is registered and woken, and is wrong only when it is called.
"""

import json
import socket
import sys
import time

MANIFEST = {
    "contract": 1,
    "pool": "broken",
    "agentType": "test",
    "version": "1",
    "tools": [{"name": "misbehave", "inputSchema": {"type": "object"}}],
}


def serve(answer):
    """Is well, and answers calls with these bytes, HTTP or not; not at all when there are none."""
    listener = socket.socket(fileno=0)
    kept = []
    while True:
        connection, _ = listener.accept()
        request = connection.recv(65536)
        if request.startswith(b"GET "):
            connection.sendall(http("text/plain", b""))
        elif answer is None:
            kept.append(connection)
            continue
        else:
            connection.sendall(answer)
        connection.close()


def http(media_type, body, **attributes):
    """A response with status 200, with CloudEvents attributes if any."""
    headers = {f"ce-{name}": value for name, value in attributes.items()}
    headers |= {"content-type": media_type, "content-length": len(body), "connection": "close"}
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode() + body


def event(name):
    """The attributes of an event of this type."""
    return {"specversion": "1.0", "id": "1", "source": "/broken", "type": name}


def main(mode, *options):
    if "--capabilities" in options:
        print("this is no manifest" if mode == "manifest" else json.dumps(MANIFEST))
        return
    match mode:
        case "rubbish":
            serve(b"\x00\x01 this is no HTTP\r\n\r\n")
        case "no-event":
            serve(http("text/html", b"<p>hello</p>"))
        case "other-event":
            serve(http("application/json", b"{}", **event("com.example.other")))
        case "no-result":
            serve(http("application/json", b"7", **event("dev.dormouse.task.completed.v1")))
        case "silence":
            serve(None)
        case "hang-up":
            serve(b"")
        case "exit":
            sys.exit("there is no such database")
        case "never-ready":
            time.sleep(3600)
        case _:
            sys.exit(f"no such way to break: {mode}")


main(*sys.argv[1:])
