// The JavaScript SDK of CloudEvents as a producer: sends the events of a file in one mode.
//
// Usage: events.mjs URL MODE SOURCE TOKEN FILE, where MODE is binary or structured. Prints what
// became of each event as a line of JSON; one that the SDK writes so that HTTP cannot carry it has
// the status 0.

import { readFile } from "node:fs/promises";
import { CloudEvent, HTTP } from "cloudevents";

const [url, mode, source, token, file] = process.argv.slice(2);

function build({ attributes, json, text, base64 }) {
  const data = base64 === undefined ? json ?? text : new Uint8Array(Buffer.from(base64, "base64"));
  return new CloudEvent({ source, ...attributes, data });
}

async function send(event) {
  const { headers, body } = HTTP[mode](event);
  const authorization = `Bearer ${token}`;
  try {
    const answer = await fetch(url, { method: "POST", headers: { ...headers, authorization }, body });
    return answer.status;
  } catch (error) {
    if (error instanceof TypeError && error.message.includes("ByteString")) return 0;
    throw error;
  }
}

for (const event of JSON.parse(await readFile(file, "utf8"))) {
  const status = await send(build(event));
  console.log(JSON.stringify({ id: event.attributes.id, status }));
}
