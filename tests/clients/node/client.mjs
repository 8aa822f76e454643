// The TypeScript SDK as a client: runs the named actions in order, one JSON line for each thing
// seen. The actions are the same in every client; the end-to-end tests read the lines.
//
//   node client.mjs URL [--token TOKEN] ACTION...
//
// A `ws://` URL goes over WebSocket, an `http://` URL over Streamable HTTP.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import { LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { once } from "node:events";
import WebSocket from "ws";

const { url, token, actions } = readArguments(process.argv.slice(2));
const client = new Client({ name: "dormouse-test-node", version: "1.0.0" });
client.onerror = (error) => print("errored", { message: String(error) });
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => print("logged", params));

const perform = {
  async list() {
    const tools = [];
    let cursor;
    do {
      const page = await client.listTools({ cursor });
      tools.push(...page.tools.map((tool) => tool.name));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    print("listed", { tools });
  },
  async ping() {
    await client.ping();
    print("ponged", {});
  },
  async echo() {
    await call("echo", { text: "zwölf Siebenschläfer 🐭" });
  },
  async add() {
    await call("add", { a: 19, b: 23 });
  },
  async progress() {
    await call("progress", {}, { onprogress: (progress) => print("progressed", progress) });
  },
  async refuse() {
    await call("add", { a: "nineteen" });
  },
  async unknown() {
    await call("no_such_tool", {});
  },
  async cancel() {
    const abort = new AbortController();
    const pending = call("sleep", { ms: 120_000 }, { signal: abort.signal });
    print("calling", { tool: "sleep" });
    await lineOfInput();
    abort.abort("the client changed its mind");
    await pending;
    await lineOfInput();
  },
};

await client.connect(transport());
print("connected", {
  server: client.getServerVersion(),
  protocol: globalThis.negotiated,
  capabilities: client.getServerCapabilities(),
});
for (const action of actions) {
  await perform[action]();
}
await client.close();
print("closed", {});

async function call(tool, args, options = {}) {
  try {
    const result = await client.callTool({ name: tool, arguments: args }, undefined, options);
    print("called", { tool, result });
  } catch (error) {
    print(options.signal?.aborted ? "cancelled" : "refused", { tool, code: error.code, message: error.message });
  }
}

function transport() {
  const chosen = url.startsWith("ws") ? webSocketTransport() : streamableTransport();
  chosen.setProtocolVersion = ((inherited) => (version) => {
    globalThis.negotiated = version;
    inherited?.call(chosen, version);
  })(chosen.setProtocolVersion);
  return chosen;
}

function webSocketTransport() {
  // Node 20 has no WebSocket of its own. The SDK's transport cannot set headers, so a token goes
  // as a subprotocol entry.
  const entries = token ? [`dormouse.bearer.${Buffer.from(token).toString("base64url")}`] : [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(address, protocol) {
      // As in a browser, one message is dealt with before the next is told: the SDK handles
      // notifications a microtask late, and would drop progress that arrives with its response.
      super(address, [protocol, ...entries], { allowSynchronousEvents: false });
    }
  };
  return new WebSocketClientTransport(new URL(url));
}

function streamableTransport() {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  return new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
}

// Whoever runs this says when the call has come far enough to be cancelled, and when that is seen.
async function lineOfInput() {
  process.stdin.ref();
  await once(process.stdin, "data");
  process.stdin.unref();
}

function readArguments(words) {
  const [address, ...rest] = words;
  const flag = rest.indexOf("--token");
  const secret = flag < 0 ? undefined : rest.splice(flag, 2)[1];
  return { url: address, token: secret, actions: rest };
}

function print(step, what) {
  console.log(JSON.stringify({ step, ...what }));
}
