"""The Python SDK of CloudEvents as a producer: sends the events of a file in one mode.

Usage: events.py URL MODE SOURCE TOKEN FILE, where MODE is binary or structured. Prints what became
of each event as a line of JSON.
"""

import base64
import json
import sys
import urllib.error
import urllib.request
from datetime import datetime

from cloudevents.core.bindings import http
from cloudevents.core.v1.event import CloudEvent

WRITERS = {"binary": http.to_binary_event, "structured": http.to_structured_event}


def main() -> None:
    url, mode, source, token, file = sys.argv[1:]
    with open(file, encoding="utf-8") as events:
        for event in json.load(events):
            message = WRITERS[mode](build(event, source))
            status = post(url, token, message)
            print(json.dumps({"id": event["attributes"]["id"], "status": status}))


def build(event: dict, source: str) -> CloudEvent:
    attributes = {"source": source, "specversion": "1.0", **event["attributes"]}
    if "time" in attributes:
        attributes["time"] = datetime.fromisoformat(attributes["time"])
    if "base64" in event:
        data = base64.b64decode(event["base64"])
    else:
        data = event.get("json", event.get("text"))
    return CloudEvent(attributes, data)


def post(url: str, token: str, message: http.HTTPMessage) -> int:
    headers = {**message.headers, "authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, data=message.body, headers=headers)
    if not any(name.lower() == "content-type" for name in headers):
        # urllib would call it a form.
        request.add_unredirected_header("Content-type", "application/octet-stream")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


main()
