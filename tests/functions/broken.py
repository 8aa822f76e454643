"""A function that breaks the contract, in the way that its first argument names.

It gets its listener as standard input. Its manifest is right (but for `manifest`), so that it is
registered, and wrong only when it is called.
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


def reply(head, body=b""):
    """Answers every request with these bytes."""
    length = f"content-length: {len(body)}\r\n\r\n".encode()
    answer_with(head + length + body)


def answer_with(answer):
    """Answers every connection with these bytes, HTTP or not, and closes it."""
    listener = socket.socket(fileno=0)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)


def main(mode, *options):
    if "--capabilities" in options:
        print("this is no manifest" if mode == "manifest" else json.dumps(MANIFEST))
        return
    match mode:
        case "rubbish":
            answer_with(b"\x00\x01 this is no HTTP\r\n\r\n")
        case "no-event":
            reply(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n", b"<p>hello</p>")
        case "other-event":
            attributes = b"ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /x\r\nce-type: com.example.other\r\n"
            reply(b"HTTP/1.1 200 OK\r\n" + attributes)
        case "no-result":
            event = b'{"specversion":"1.0","id":"1","source":"/x","type":"dev.dormouse.task.completed.v1","data":7}'
            reply(b"HTTP/1.1 200 OK\r\ncontent-type: application/cloudevents+json\r\n", event)
        case "silence":
            listener = socket.socket(fileno=0)
            kept = []
            while True:
                kept.append(listener.accept())
        case "exit":
            sys.exit("there is no such database")
        case "hesitate":
            time.sleep(3600)
        case _:
            sys.exit(f"no such way to break: {mode}")


main(*sys.argv[1:])
