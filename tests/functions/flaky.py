"""A function that fails in the ways that its arguments name, one a delivery, and then succeeds.

It listens on `PORT`, takes events of the type `com.example.flaky`, and writes a
line of JSON into the file that its first argument names whenever a delivery has arrived: what it
was, and when, in milliseconds. `500` and `429` are answers with that status, `rubbish` is one that
is no event, `hang` is none at all, `crash` the end of the process.
"""

import json
import os
import socket
import sys
import threading
import time

MANIFEST = {"contract": 1, "pool": "flaky", "agentType": "test", "version": "1", "tools": []}


def serve(log, ways):
    """Answers deliveries in these ways; a delivery says in `ce-attempt` which it is."""
    listener = socket.create_server(("127.0.0.1", int(os.environ["PORT"])))
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, log, ways), daemon=True).start()


def answer(connection, log, ways):
    """Answers one request."""
    head, _, _ = connection.recv(65536).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    if lines[0].startswith("GET "):
        respond(connection, 200, json.dumps(MANIFEST).encode())
        return
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    attempt = int(headers["ce-attempt"])
    way = ways[attempt - 1] if attempt <= len(ways) else "202"
    at = time.time_ns() // 1_000_000
    with open(log, "a", encoding="utf-8") as file:
        file.write(json.dumps({"attempt": attempt, "id": headers["ce-id"], "way": way, "at": at}))
        file.write("\n")
    match way:
        case "hang":
            time.sleep(3600)
        case "crash":
            os._exit(1)
        case "rubbish":
            respond(connection, 200, b"rubbish")
        case status:
            respond(connection, int(status))


def respond(connection, status, body=b""):
    """An answer; the manifest does for all that is asked."""
    length = f"content-length: {len(body)}"
    lines = [f"HTTP/1.1 {status} As asked", length, "connection: close", "", ""]
    connection.sendall("\r\n".join(lines).encode() + body)
    connection.close()


serve(sys.argv[1], sys.argv[2:])
