// Shows openapi.json. Whatever comes from the document becomes text, never markup.
const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

function make(name, attributes, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null));
  return element;
}

// Words with `code` in them.
function words(text) {
  return (text ?? "").split(/`([^`]+)`/).map((part, place) =>
    place % 2 ? make("code", {}, part) : part.replace(/\s*\n\s*/g, " "));
}

function paragraphs(text) {
  return (text ?? "").split(/\n{2,}/).filter(Boolean).map((part) => make("p", {}, words(part)));
}

const slug = (text) => text.replace(/\W+/g, "-").toLowerCase();
const json = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

let api;

function target(reference) {
  return reference.slice(2).split("/").reduce((at, key) => at?.[key], api);
}

const nameOf = (schema) => schema?.$ref?.split("/").pop();

// A schema's type in a word or two; names lead to the schema.
function kind(schema) {
  if (schema?.$ref) return [make("a", { href: `#schema-${slug(nameOf(schema))}` }, nameOf(schema))];
  if (schema?.const !== undefined) return [JSON.stringify(schema.const)];
  const either = schema?.oneOf ?? schema?.anyOf;
  if (either && !schema.type) {
    const parts = either.map(kind);
    return parts.flatMap((part, place) => (place ? [" or ", ...part] : part));
  }
  if (schema?.type === "array") return ["list of ", ...kind(schema.items)];
  if (schema?.type === "object" && schema.additionalProperties?.type) {
    return ["map of ", ...kind(schema.additionalProperties)];
  }
  const type = [schema?.type ?? "anything"].flat().join(" or ");
  return [schema?.format && type === "string" ? `${type}, ${schema.format}` : type];
}

function values(schema) {
  const listed = schema?.enum ?? constants(schema);
  if (!listed?.length) return undefined;
  return make("p", { class: "values" }, listed.map((value) => make("code", {}, json(value))));
}

function constants(schema) {
  const all = schema?.oneOf?.filter((one) => one.const !== undefined && !one.description);
  return all?.length === schema?.oneOf?.length ? all?.map((one) => one.const) : undefined;
}

// What a schema refers to and could be unfolded, through lists.
function unfoldable(schema) {
  if (schema?.$ref) return schema;
  if (schema?.type === "array") return unfoldable(schema.items);
  return schema?.properties || (schema?.oneOf && !constants(schema)) ? schema : undefined;
}

function member(name, schema, isRequired, seen) {
  const inner = unfoldable(schema);
  return make("li", {},
    make("span", { class: "name" }, name),
    isRequired ? make("span", { class: "must", title: "always there" }, "*") : undefined,
    " ", make("span", { class: "kind" }, kind(schema)),
    paragraphs(schema.description), values(schema),
    inner && !seen.includes(nameOf(inner)) ? fold(inner, seen) : undefined);
}

// Filled when it is opened: schemas may hold themselves.
function fold(schema, seen) {
  const name = nameOf(schema);
  const details = make("details", {}, make("summary", {}, name ?? "its members"));
  details.addEventListener("toggle", () => {
    if (details.children.length === 1) details.append(tree(schema, name ? [...seen, name] : seen));
  }, { once: true });
  return details;
}

function tree(schema, seen = []) {
  if (schema?.$ref) {
    const whole = target(schema.$ref);
    return tree(whole, [...seen, nameOf(schema)]);
  }
  if (schema?.type === "array" && unfoldable(schema)) {
    return make("div", {}, make("p", { class: "kind" }, kind(schema)), tree(schema.items, seen));
  }
  const isRequired = (name) => Boolean(schema.required?.includes(name));
  const rows = Object.entries(schema?.properties ?? {})
    .sort(([one], [other]) => isRequired(other) - isRequired(one))
    .map(([name, inner]) => member(name, inner, isRequired(name), seen));
  const choices = (schema?.oneOf ?? schema?.anyOf ?? []).map((one) => choice(one, seen));
  const list = [...rows, ...choices];
  if (!list.length) return make("p", { class: "kind" }, kind(schema), values(schema));
  return make("ul", { class: "schema" }, list);
}

function choice(one, seen) {
  const [name] = Object.keys(one.properties ?? {});
  if (name && one.required?.length === 1) {
    return member(name, { ...one.properties[name], description: one.description }, false, seen);
  }
  return make("li", {}, make("span", { class: "name" }, kind(one)), paragraphs(one.description),
    values(one), unfoldable(one) ? fold(one, seen) : undefined);
}

function example(content) {
  if (content?.example !== undefined) return content.example;
  const [named] = Object.values(content?.examples ?? {});
  return named?.$ref ? target(named.$ref)?.value : named?.value;
}

function body(contents) {
  return Object.entries(contents ?? {}).map(([media, content]) => {
    const shown = example(content);
    const says = content.schema && Object.keys(content.schema).length;
    return [
      make("div", { class: "media" }, media),
      says || shown !== undefined ? make("div", { class: "columns" },
        says ? tree(content.schema) : undefined,
        shown !== undefined ? make("pre", {}, json(shown)) : undefined) : undefined,
    ];
  });
}

function parameters(operation) {
  if (!operation.parameters?.length) return [];
  const rows = operation.parameters.map((one) => make("tr", {},
    make("td", {}, make("span", { class: "name" }, one.name),
      one.required ? make("span", { class: "must", title: "required" }, "*") : undefined,
      make("span", { class: "where" }, one.in)),
    make("td", { class: "kind" }, kind(one.schema)),
    make("td", {}, paragraphs(one.description), values(one.schema?.$ref ? target(one.schema.$ref) : one.schema))));
  return [make("h3", {}, "Parameters"), make("table", {}, make("tbody", {}, rows))];
}

function problems(content) {
  return Object.values(content?.["application/problem+json"]?.examples ?? {}).map((one) => {
    const { value } = one.$ref ? target(one.$ref) : one;
    return make("p", {}, make("code", {}, value.type), " ", words(value.detail));
  });
}

function answers(operation) {
  const all = Object.entries(operation.responses).map(([status, said]) => {
    const isBad = status >= "400";
    const summary = make("summary", {},
      make("span", { class: isBad ? "status bad" : "status" }, status), words(said.description));
    return make("details", isBad ? { class: "answer" } : { class: "answer", open: "" }, summary,
      isBad ? problems(said.content) : body(said.content));
  });
  return [make("h3", {}, "Answers"), make("div", {}, all)];
}

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A line for a shell that does what is described.
function shellLine(method, path, operation) {
  const filled = path.replace(/\{(\w+)\}/g, (_, name) => {
    const found = operation.parameters?.find((one) => one.in === "path" && one.name === name);
    return encodeURIComponent(found?.schema?.examples?.[0] ?? name);
  });
  const parts = ["curl"];
  if (method !== "get") parts.push(`-X ${method.toUpperCase()}`);
  if (Object.keys(operation.responses["200"]?.content ?? {})[0] === "text/event-stream") parts.push("-N");
  if (operation.security?.length !== 0) parts.push('-H "Authorization: Bearer $DORMOUSE_TOKEN"');
  const sent = Object.entries(operation.requestBody?.content ?? {})
    .find(([, content]) => content.example !== undefined);
  if (sent) {
    parts.push(`-H 'Content-Type: ${sent[0]}'`, `-d ${quote(JSON.stringify(sent[1].example))}`);
  }
  parts.push(quote(location.origin + filled));
  return parts.join(" \\\n  ").replace(/^curl \\\n {2}/, "curl ");
}

function trial(line) {
  const button = make("button", { type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return make("div", { class: "try" }, make("pre", {}, line), button);
}

function operationCard(method, path, operation) {
  const open = operation.security?.length === 0
    ? make("span", { class: "open" }, "no bearer token") : undefined;
  return make("article", { id: operation.operationId, "data-words": `${method} ${path} ${operation.summary}` },
    make("header", {}, make("span", { class: `method ${method}` }, method.toUpperCase()),
      make("a", { class: "path", href: `#${operation.operationId}` }, path), open,
      make("span", { class: "summary" }, operation.summary)),
    paragraphs(operation.description),
    trial(shellLine(method, path, operation)),
    parameters(operation),
    operation.requestBody ? [make("h3", {}, "Body"), paragraphs(operation.requestBody.description),
      body(operation.requestBody.content)] : undefined,
    answers(operation));
}

function operationsOf(tag) {
  return Object.entries(api.paths).flatMap(([path, item]) => METHODS
    .filter((method) => item[method]?.tags?.includes(tag))
    .map((method) => ({ method, path, operation: item[method] })));
}

function contents(title, links) {
  return make("div", {}, make("h2", {}, title), make("ul", {}, links));
}

function render() {
  const [main, index] = [document.getElementById("top"), document.getElementById("contents")];
  document.getElementById("version").textContent = api.info.version;
  const sections = api.tags.map(({ name, description }) => {
    const all = operationsOf(name);
    index.append(contents(name, all.map(({ method, path, operation }) => make("li",
      { "data-words": `${method} ${path} ${operation.summary}` },
      make("a", { href: `#${operation.operationId}`, title: operation.summary },
        make("span", { class: `method ${method}` }, method.toUpperCase()), path)))));
    return make("section", { id: `tag-${slug(name)}` }, make("h2", {}, name),
      make("p", { class: "lead" }, words(description)),
      all.map(({ method, path, operation }) => operationCard(method, path, operation)));
  });
  const schemas = Object.entries(api.components.schemas);
  index.append(contents("Schemas", schemas.map(([name]) => make("li", { "data-words": name },
    make("a", { href: `#schema-${slug(name)}` }, name)))));
  const shown = schemas.map(([name, schema]) => make("article",
    { id: `schema-${slug(name)}`, "data-words": name },
    make("header", {}, make("span", { class: "path" }, name)),
    paragraphs(schema.description), tree(schema, [name])));
  main.replaceChildren(
    make("div", { class: "intro" }, make("h1", {}, api.info.title),
      make("p", { class: "lead" }, words(api.info.summary)), paragraphs(api.info.description),
      make("p", {}, "For programs: ", make("a", { href: "openapi.json" }, "openapi.json"),
        ` (OpenAPI ${api.openapi}).`)),
    ...sections,
    make("section", {}, make("h2", {}, "Schemas"), shown));
}

function filter(wanted) {
  const terms = wanted.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of document.querySelectorAll("[data-words]")) {
    const text = one.dataset.words.toLowerCase();
    one.hidden = !terms.every((term) => text.includes(term));
  }
  for (const group of document.querySelectorAll("section, #contents > div")) {
    const all = [...group.querySelectorAll("[data-words]")];
    group.hidden = all.every((one) => one.hidden);
  }
}

const search = document.getElementById("search");
search.addEventListener("input", () => filter(search.value));
addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search) {
    event.preventDefault();
    search.focus();
  }
});

const answer = await fetch("openapi.json");
api = await answer.json();
render();
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
