// Renders openapi.json for people and sends what they try to this service, with the key typed in.
// Text of the document is only ever set as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];
const DEEPEST = 4;
const $ = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const { classes, ...rest } = properties;
  const element = Object.assign(document.createElement(tag), rest);
  if (classes) element.className = classes;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// The words of a description: paragraphs, and `code` in backquotes; nothing else of Markdown.
function prose(text, classes = "") {
  return String(text ?? "").split(/\n{2,}/).filter(Boolean).map((paragraph) => make("p", { classes },
    ...paragraph.split("`").map((part, position) => (position % 2 ? make("code", { textContent: part }) : part))));
}

class Description {
  constructor(document) {
    this.document = document;
  }

  resolve(node) {
    let found = node;
    for (let hops = 0; found && found.$ref && hops < 16; hops += 1) {
      const { $ref, ...beside } = found;
      const steps = $ref.replace(/^#\//, "").split("/").map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
      found = { ...steps.reduce((value, step) => value?.[decodeURIComponent(step)], this.document), ...beside };
    }
    return found ?? {};
  }

  operations() {
    const all = [];
    for (const [path, item] of Object.entries(this.document.paths ?? {})) {
      for (const method of METHODS) {
        if (item[method]) {
          const parameters = [...(item.parameters ?? []), ...(item[method].parameters ?? [])].map((one) => this.resolve(one));
          all.push({ ...item[method], method, path, parameters });
        }
      }
    }
    return all;
  }

  example(schema, depth = 0) {
    const own = this.resolve(schema);
    if (own.examples?.length) return own.examples[0];
    if ("default" in own) return own.default;
    if (own.enum) return own.enum[0];
    if ("const" in own) return own.const;
    const branch = own.anyOf?.[0] ?? own.oneOf?.[0];
    if (branch) return this.example(branch, depth + 1);
    if (own.type === "array") return depth < DEEPEST ? [this.example(own.items ?? {}, depth + 1)] : [];
    if (own.properties) {
      if (depth >= DEEPEST) return {};
      return Object.fromEntries(Object.entries(own.properties).map(([name, value]) => [name, this.example(value, depth + 1)]));
    }
    return { string: "text", integer: own.minimum ?? 1, number: own.minimum ?? 1, boolean: true, null: null }[own.type] ?? {};
  }
}

function typeOf(description, schema) {
  const own = description.resolve(schema);
  const branches = own.anyOf ?? own.oneOf;
  if (branches) return branches.map((branch) => typeOf(description, branch)).join(" or ");
  if (own.enum) return own.enum.map((value) => JSON.stringify(value)).join(" | ");
  if ("const" in own) return JSON.stringify(own.const);
  if (own.type === "array") {
    const items = typeOf(description, own.items ?? {});
    return /[| ]/.test(items) ? `array of (${items})` : `array of ${items}`;
  }
  const name = [own.type ?? "any"].flat().join(" or ");
  return own.format ? `${name}, ${own.format}` : name;
}

function limits(schema) {
  const said = [];
  const range = (low, high, unit) => {
    if (low !== undefined && high !== undefined) said.push(`${low} to ${high}${unit}`);
    else if (low !== undefined) said.push(`at least ${low}${unit}`);
    else if (high !== undefined) said.push(`at most ${high}${unit}`);
  };
  range(schema.minimum, schema.maximum, "");
  range(schema.minLength, schema.maxLength, " characters");
  range(schema.minItems, schema.maxItems, " items");
  if (schema.pattern) said.push(`matches ${schema.pattern}`);
  if (schema.default !== undefined) said.push(`default ${JSON.stringify(schema.default)}`);
  return said;
}

function field(description, name, schema, { required, text, place, depth = 0 }) {
  const own = description.resolve(schema);
  const facts = [place, typeOf(description, own), ...limits(own)].filter(Boolean).join(" · ");
  const item = make("li", {},
    make("div", { classes: "name" }, name, required ? make("span", { classes: "must", title: "required", textContent: " *" }) : null),
    make("div", {},
      make("p", { classes: "type", textContent: facts }),
      ...prose(text ?? own.description)));
  if (depth < DEEPEST) {
    for (const inner of objects(description, own)) item.append(fields(description, inner, depth + 1));
  }
  return item;
}

// The objects that a value may be or hold: behind a list, and behind each branch of a choice.
function objects(description, schema, hops = 0) {
  const own = description.resolve(schema);
  if (own.properties) return [own];
  if (hops >= DEEPEST) return [];
  const inside = own.type === "array" ? [own.items ?? {}] : (own.anyOf ?? own.oneOf ?? []);
  return inside.flatMap((one) => objects(description, one, hops + 1));
}

function fields(description, schema, depth = 0) {
  const required = new Set(schema.required ?? []);
  return make("ul", { classes: "fields" },
    ...Object.entries(schema.properties ?? {}).map(([name, value]) => field(description, name, value, { required: required.has(name), depth })));
}

function heading(text) {
  return make("h4", { textContent: text });
}

function bodyOf(description, operation) {
  const body = operation.requestBody ? description.resolve(operation.requestBody) : null;
  const [mediaType, content] = Object.entries(body?.content ?? {})[0] ?? [];
  return mediaType ? { mediaType, schema: content.schema ?? {}, example: content.example } : null;
}

function answer(description, status, declared) {
  const own = description.resolve(declared);
  const [mediaType, content] = Object.entries(own.content ?? {})[0] ?? [];
  const schema = content?.schema ? description.resolve(content.schema) : null;
  const shared = mediaType === "application/problem+json";
  return make("details", { classes: "answer" },
    make("summary", {}, make("span", { classes: `status s${status[0]}`, textContent: status }), own.description ?? ""),
    mediaType ? make("p", { classes: "note" }, mediaType, shared ? ", as described under " : "", shared ? make("a", { href: "#errors", textContent: "Errors" }) : "") : null,
    schema && !shared ? fields(description, schema.type === "array" ? description.resolve(schema.items ?? {}) : schema) : null,
    schema?.examples?.length && !shared ? make("pre", { textContent: JSON.stringify(schema.examples[0], null, 2) }) : null);
}

function input(description, parameter) {
  const schema = description.resolve(parameter.schema ?? {});
  const required = Boolean(parameter.required);
  const choices = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (choices) {
    return make("select", { name: parameter.name, required },
      make("option", { value: "", textContent: schema.default !== undefined ? `(default: ${schema.default})` : "(not sent)" }),
      ...choices.map((value) => make("option", { value: String(value), textContent: String(value) })));
  }
  const example = parameter.example ?? schema.examples?.[0];
  const number = schema.type === "integer" || schema.type === "number";
  return make("input", {
    name: parameter.name, required, type: number ? "number" : "text", step: schema.type === "number" ? "any" : "1", autocomplete: "off",
    value: required && example !== undefined ? String(example) : "",
    placeholder: schema.default !== undefined ? `default: ${schema.default}` : example !== undefined ? `e.g. ${example}` : "",
  });
}

function request(operation, inputs, body, text) {
  let path = operation.path.replace(/^\//, "");
  const query = new URLSearchParams();
  const headers = body ? { "Content-Type": body.mediaType } : {};
  for (const [parameter, { value }] of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (value !== "" && parameter.in === "query") query.append(parameter.name, value);
    else if (value !== "" && parameter.in === "header") headers[parameter.name] = value;
  }
  const url = new URL(path + (query.size ? `?${query}` : ""), document.baseURI);
  return { url, method: operation.method.toUpperCase(), headers, text };
}

function curl({ url, method, headers, text }) {
  const quote = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  const lines = [`curl ${method === "GET" ? "" : `-X ${method} `}${quote(url.href)}`, `-H "Authorization: Bearer $PLUGIN_KEY"`];
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quote(`${name}: ${value}`)}`);
  if (text !== undefined) lines.push(`--data ${quote(text)}`);
  return lines.join(" \\\n  ");
}

async function send(prepared, result) {
  const key = $("key").value.trim();
  const headers = key ? { ...prepared.headers, Authorization: `Bearer ${key}` } : prepared.headers;
  const started = performance.now();
  try {
    const reply = await fetch(prepared.url, { method: prepared.method, headers, body: prepared.text, credentials: "omit", redirect: "manual" });
    const text = await reply.text();
    const milliseconds = Math.round(performance.now() - started);
    let shown = text;
    try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
    result.replaceChildren(
      make("div", {}, make("span", { classes: `status s${String(reply.status)[0]}`, textContent: `${reply.status} ${reply.statusText}` }), make("span", { classes: "note", textContent: `${milliseconds} ms · ${reply.headers.get("content-type") ?? "no content"}` })),
      make("pre", { textContent: shown }),
      make("details", {}, make("summary", { classes: "note", textContent: "the same with curl" }), make("pre", { textContent: curl(prepared) })));
  } catch (error) {
    result.replaceChildren(make("p", { classes: "problem", textContent: `Not sent: ${error.message}` }));
  }
}

function trial(description, operation) {
  const body = bodyOf(description, operation);
  const row = (name, element) => make("label", {}, make("span", { textContent: name }), element);
  const inputs = operation.parameters.filter((one) => one.in !== "cookie").map((one) => [one, input(description, one)]);
  const text = body ? make("textarea", { spellcheck: false, value: JSON.stringify(body.example ?? description.example(body.schema), null, 2) }) : null;
  const result = make("div", { classes: "result", ariaLive: "polite" });
  const button = make("button", { type: "submit", textContent: "Send" });
  const form = make("form", {},
    ...inputs.map(([parameter, element]) => row(parameter.name, element)),
    text ? row("body", text) : null,
    make("div", { classes: "send" }, button, operation["x-openai-isConsequential"] ? make("span", { classes: "note", textContent: "This changes something for good." }) : null),
    result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    await send(request(operation, inputs, body, text?.value), result);
    button.disabled = false;
  });
  return make("details", { classes: "try" }, make("summary", { textContent: "Try it" }), form);
}

function card(description, operation) {
  const body = bodyOf(description, operation);
  const scopes = (operation.security ?? []).flatMap((one) => Object.values(one).flat());
  const article = make("article", { id: operation.operationId },
    make("h3", { textContent: operation.summary || operation.operationId }),
    make("div", { classes: "line" },
      make("span", { classes: `method ${operation.method}`, textContent: operation.method.toUpperCase() }),
      make("span", { classes: "path", textContent: operation.path }),
      make("code", { textContent: operation.operationId }),
      ...scopes.map((scope) => make("span", { classes: "tag", textContent: `scope ${scope}` })),
      operation["x-openai-isConsequential"] ? make("span", { classes: "tag warn", textContent: "asks the user first" }) : null),
    ...prose(operation.description, "about"));
  if (operation.parameters.length) {
    article.append(heading("Parameters"), make("ul", { classes: "fields" },
      ...operation.parameters.map((one) => field(description, one.name, one.schema ?? {}, { required: one.required, text: one.description, place: one.in }))));
  }
  if (body) article.append(heading("Body"), make("p", { classes: "note", textContent: body.mediaType }), fields(description, description.resolve(body.schema)));
  article.append(heading("Answers"), ...Object.entries(operation.responses ?? {}).map(([status, declared]) => answer(description, status, declared)), trial(description, operation));
  return article;
}

function index(operations) {
  const groups = new Map();
  for (const operation of operations) {
    const tag = operation.tags?.[0] ?? "operations";
    groups.set(tag, [...(groups.get(tag) ?? []), operation]);
  }
  return [...groups].flatMap(([tag, members]) => [
    make("h2", { textContent: tag }),
    ...members.map((one) => make("a", { href: `#${one.operationId}` }, make("span", { classes: `method ${one.method}`, textContent: one.method.toUpperCase() }), one.operationId)),
  ]);
}

function showErrors(description) {
  const problem = description.document.components?.schemas?.Problem;
  if (!problem) return;
  const section = $("shared");
  section.hidden = false;
  section.append(make("article", { id: "errors" },
    make("h3", { textContent: "Errors" }),
    ...prose(problem.description, "about"),
    make("p", { classes: "note", textContent: "application/problem+json" }),
    fields(description, problem),
    problem.examples?.length ? make("pre", { textContent: JSON.stringify(problem.examples[0], null, 2) }) : null));
}

async function start() {
  const reply = await fetch("openapi.json", { credentials: "omit" });
  if (!reply.ok) throw new Error(`openapi.json answered ${reply.status}`);
  const description = new Description(await reply.json());
  const { info } = description.document;
  document.title = info.title;
  $("title").textContent = info.title;
  $("version").textContent = info.version;
  $("about").replaceChildren(...prose(info.description));
  const operations = description.operations();
  $("index").replaceChildren(...index(operations), make("h2", { textContent: "shared" }), make("a", { href: "#errors", textContent: "Errors" }));
  $("operations").replaceChildren(...operations.map((one) => card(description, one)));
  showErrors(description);
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

start().catch((error) => {
  $("operations").replaceChildren(make("p", { classes: "problem", textContent: `The page cannot be shown: ${error.message}. Reload it, or read openapi.json itself.` }));
});
