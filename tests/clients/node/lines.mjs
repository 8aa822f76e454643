// What both TypeScript clients share: their arguments, their actions, and the lines they print.

import { EventEmitter, once } from "node:events";

/** The URL, the token if any, whether the era shall be the legacy one, and the names of the actions. */
export function readArguments() {
  const [url, ...rest] = process.argv.slice(2);
  const take = (flag, length) => {
    const at = rest.indexOf(flag);
    return at < 0 ? undefined : rest.splice(at, length).at(-1);
  };
  const token = take("--token", 2);
  const isLegacy = take("--legacy", 1) !== undefined;
  return { url, token, isLegacy, actions: rest };
}

/** One JSON line. */
export function print(step, what = {}) {
  console.log(JSON.stringify({ step, ...what }));
}

/** Whoever runs this says when to go on. */
export async function lineOfInput() {
  process.stdin.ref();
  await once(process.stdin, "data");
  process.stdin.unref();
}

/** Answers what a server asks of a person: an SDK's handler of `elicitation/create`. */
export function fillIn({ method, params }) {
  print("asked", { method, params });
  return { action: "accept", content: { username: "mouse", email: "mouse@example.org" } };
}

/** Answers what a server asks of a model: an SDK's handler of `sampling/createMessage`. */
export function complete({ method, params }) {
  print("asked", { method, params });
  return { role: "assistant", content: { type: "text", text: "Cheese." }, model: "none", stopReason: "endTurn" };
}

/** What a server tells without being asked: an SDK's handler of notifications. */
export function hear({ method, params }) {
  print("heard", { method, params });
  ears.emit(method);
}

const ears = new EventEmitter();

/**
 * Runs the actions in order on a connected client. `callTool(params, options)` is the SDK's call;
 * its options take `onprogress` and `signal`. `listen(uri)` makes the server tell of a resource.
 */
export async function perform(client, { callTool, listen }, actions) {
  const table = actionTable(client, listen, async (tool, args, options = {}, meta = {}) => {
    try {
      const result = await callTool({ name: tool, arguments: args, _meta: meta }, options);
      print("called", { tool, result });
    } catch (error) {
      print(options.signal?.aborted ? "cancelled" : "refused", { tool, code: error.code, message: error.message });
    }
  });
  for (const action of actions) {
    await table[action]();
  }
}

function actionTable(client, listen, call) {
  return {
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
      try {
        await client.ping();
        print("ponged");
      } catch (error) {
        print("refused", { tool: "ping", code: error.code, message: error.message });
      }
    },
    // Everything that is no tool.
    async features() {
      const name = "test_prompt_with_arguments";
      const { prompts } = await client.listPrompts();
      const { messages } = await client.getPrompt({ name, arguments: { arg1: "cheese", arg2: "ham" } });
      const { resources } = await client.listResources();
      const { resourceTemplates } = await client.listResourceTemplates();
      const text = await client.readResource({ uri: "test://static-text" });
      const data = await client.readResource({ uri: "test://template/7/data" });
      const { completion } = await client.complete({
        ref: { type: "ref/prompt", name },
        argument: { name: "arg1", value: "par" },
      });
      print("featured", {
        prompts: prompts.map((prompt) => prompt.name),
        prompt: messages[0].content.text,
        resources: resources.map((resource) => resource.uri),
        templates: resourceTemplates.map((template) => template.uriTemplate),
        text: text.contents[0].text,
        data: data.contents[0].text,
        completion: completion.values,
      });
    },
    // A resource and the list of tools change while the client listens.
    async watch() {
      await listen("test://watched-resource");
      const updated = once(ears, "notifications/resources/updated");
      await call("test_trigger_resource_change", {});
      await updated;
      const changed = once(ears, "notifications/tools/list_changed");
      await call("test_trigger_tool_change", {});
      await changed;
    },
    // Whoever runs this sends an event of the type that the client listens for.
    async happen() {
      const uri = "events://com.example.order";
      await listen(uri);
      const updated = once(ears, "notifications/resources/updated");
      print("listening");
      await updated;
      const { contents } = await client.readResource({ uri });
      print("read", JSON.parse(contents[0].text));
    },
    // Something happens to the platform meanwhile.
    async pause() {
      print("paused");
      await lineOfInput();
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
    // Whoever runs this cuts the connection when progress is seen: the SDK takes it up again.
    resume: () => call("test_reconnection", {}, { onprogress: (progress) => print("progressed", progress) }),
    // By its key, the call of whoever asked it first.
    keyed: () =>
      call(
        "test_reconnection",
        {},
        { onprogress: (progress) => print("progressed", progress) },
        { "dev.dormouse/idempotencyKey": "the same" },
      ),
    echo: () => call("echo", { text: "zwölf Siebenschläfer 🐭" }),
    add: () => call("add", { a: 19, b: 23 }),
    // What the educational pool does without a model.
    align: () =>
      call(
        "curriculum-alignment",
        { text: "Children add fractions with unlike denominators." },
        { onprogress: (progress) => print("progressed", progress) },
      ),
    progress: () => call("progress", {}, { onprogress: (progress) => print("progressed", progress) }),
    refuse: () => call("add", { a: "nineteen" }),
    unknown: () => call("no_such_tool", {}),
    elicit: () => call("test_elicitation", { message: "Who is it?" }),
    sample: () => call("test_sampling", { prompt: "Say cheese." }),
  };
}
