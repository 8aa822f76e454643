// The TypeScript SDK 2.x as a client over Streamable HTTP: runs the named actions in order, one JSON
// line for each thing seen. The actions are the same in every client; the end-to-end tests read the
// lines.
//
//   node sdk2.mjs http://HOST:PORT/mcp [--token TOKEN] [--legacy] ACTION...
//
// Unless told to be a client of the legacy era, it asks the server which ones it speaks.

import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

import { complete, fillIn, hear, perform, print, readArguments } from "./lines.mjs";

const { url, token, isLegacy, actions } = readArguments();
const client = new Client(
  { name: "dormouse-test-node", version: "2.0.0" },
  {
    capabilities: { elicitation: {}, sampling: {} },
    versionNegotiation: { mode: isLegacy ? "legacy" : "auto" },
  },
);
client.onerror = (error) => print("errored", { message: String(error) });
client.setNotificationHandler("notifications/message", ({ params }) => print("logged", params));
client.setRequestHandler("elicitation/create", fillIn);
client.setRequestHandler("sampling/createMessage", complete);
client.setNotificationHandler("notifications/resources/updated", hear);
client.setNotificationHandler("notifications/tools/list_changed", hear);

const headers = token ? { Authorization: `Bearer ${token}` } : {};
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } }));
print("connected", {
  server: client.getServerVersion(),
  protocol: client.getNegotiatedProtocolVersion(),
  capabilities: client.getServerCapabilities(),
  supported: client.getDiscoverResult()?.supportedVersions,
});
const ways = {
  callTool: (params, options) => client.callTool(params, options),
  listen: (uri) =>
    client.getProtocolEra() === "legacy"
      ? client.subscribeResource({ uri })
      : client.listen({ toolsListChanged: true, resourceSubscriptions: [uri] }),
};
await perform(client, ways, actions);
// Closing aborts what is still open; that is no error.
client.onerror = undefined;
await client.close();
print("closed");
