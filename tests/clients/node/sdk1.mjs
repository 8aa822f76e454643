// The TypeScript SDK 1.x as a client: runs the named actions in order, one JSON line for each thing
// seen. The actions are the same in every client; the end-to-end tests read the lines.
//
//   node sdk1.mjs URL [--token TOKEN] ACTION...
//
// A `ws://` URL goes over WebSocket, an `http://` URL over Streamable HTTP.

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { WebSocketClientTransport } from "@modelcontextprotocol/sdk/client/websocket.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import WebSocket from "ws";

import { complete, fillIn, hear, perform, print, readArguments } from "./lines.mjs";

const { url, token, actions } = readArguments();
const client = new Client(
  { name: "dormouse-test-node", version: "1.0.0" },
  { capabilities: { elicitation: {}, sampling: {} } },
);
client.onerror = (error) => print("errored", { message: String(error) });
client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => print("logged", params));
client.setRequestHandler(ElicitRequestSchema, fillIn);
client.setRequestHandler(CreateMessageRequestSchema, complete);
client.setNotificationHandler(ResourceUpdatedNotificationSchema, hear);
client.setNotificationHandler(ToolListChangedNotificationSchema, hear);

let negotiated;
await client.connect(transport());
print("connected", {
  server: client.getServerVersion(),
  protocol: negotiated,
  capabilities: client.getServerCapabilities(),
});
const ways = {
  callTool: (params, options) => client.callTool(params, undefined, options),
  listen: (uri) => client.subscribeResource({ uri }),
};
await perform(client, ways, actions);
// Closing aborts what is still open; that is no error.
client.onerror = undefined;
await client.close();
print("closed");

function transport() {
  const chosen = url.startsWith("ws") ? webSocketTransport() : streamableTransport();
  chosen.setProtocolVersion = ((inherited) => (version) => {
    negotiated = version;
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
