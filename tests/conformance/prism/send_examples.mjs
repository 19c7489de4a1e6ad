// Starts one Prism for each of LINE's OpenAPI files, sends the successful examples of every action
// through the binary to the Prism that knows the operation, and reports what Prism refuses.
//
//     send_examples.mjs path/to/line-connector path/to/line-openapi path/to/work
//
// `work` holds node_modules with Prism and yaml. Where the OpenAPI is known to be wrong stands in
// DIFFERENCES with its reason; anything else that Prism refuses is a failure.

import { spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

const [binary, openapi, work] = process.argv.slice(2).map((name) => path.resolve(name));
const require = createRequire(path.join(work, "package.json"));
const YAML = require("yaml");

// Where LINE's reference and its OpenAPI disagree the connector follows the reference. `edit` changes
// the copy that Prism is given, so that the rest of the request is still judged; `unknown` names an
// operation that the OpenAPI leaves out, which is not sent at all.
const DIFFERENCES = [
  {
    unknown: "POST /v2/bot/message/pnp/templated/push",
    reason: "documented in the reference of LINE notification messages only",
  },
  {
    unknown: "GET /v2/bot/message/delivery/pnp/templated",
    reason: "documented in the reference of LINE notification messages only",
  },
  {
    spec: "module-attach.yml",
    edit: (document) => delete document.security,
    reason: "HTTP Basic is one of two ways; the connector sends client_id and client_secret as fields",
  },
];

const INDEX = JSON.parse(fs.readFileSync("tests/coverage/operations.json", "utf8"));

// Prism's own trouble with making up an answer. It judges the request first, so with one of these the
// request was right.
const MOCK_TROUBLE = [
  "NO_RESPONSE_DEFINED",
  "NO_SUCCESS_RESPONSE_DEFINED",
  "NO_COMPLEX_OBJECT_TEXT",
  "NOT_ACCEPTABLE",
  "NOT_FOUND",
  "SCHEMA_TOO_COMPLEX",
  "UNKNOWN",
];

// Generous: eight Prisms start at once, and each takes seconds of CPU.
const START_MS = 180_000;
// Likewise: Prism compiles an operation's schema when it is first called.
const ANSWER_MS = 120_000;
const AT_ONCE = 4;

// The only variables that the binary sees: none, so that nobody's credentials are picked up.
const ENVIRONMENT = {};

/** Runs the binary to its end and answers what it printed. */
function run(args, input = "") {
  return new Promise((resolve, reject) => {
    const child = spawn(binary, args, { env: ENVIRONMENT });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (text) => (stdout += text));
    child.stderr.on("data", (text) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code) => {
      try {
        resolve(JSON.parse(stdout));
      } catch {
        reject(new Error(`${args.join(" ")} printed no document (exit code ${code}): ${stderr}`));
      }
    });
    child.stdin.end(input);
  });
}

/** Ports that were free a moment ago. */
async function freePorts(count) {
  const servers = [];
  for (let index = 0; index < count; index += 1) {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/**
 * Says with `anyOf` what the OpenAPI says with `discriminator`, which Prism does not follow: without
 * it, every message with a `type` would be right. The base, which the variants build on, gets a name
 * of its own.
 */
function spellOutVariants(document) {
  const schemas = document.components?.schemas ?? {};
  for (const [name, schema] of Object.entries(schemas)) {
    const { discriminator, ...base } = schema;
    if (!discriminator?.mapping) {
      continue;
    }
    schemas[`${name}Base`] = base;
    schemas[name] = { anyOf: [] };
    for (const [tag, reference] of Object.entries(discriminator.mapping)) {
      const variant = schemas[reference.split("/").at(-1)];
      for (const part of variant.allOf.filter(({ $ref }) => $ref?.endsWith(`/${name}`))) {
        part.$ref += "Base";
      }
      const tagged = { properties: { [discriminator.propertyName]: { enum: [tag] } } };
      schemas[name].anyOf.push({ allOf: [{ $ref: reference }, tagged] });
    }
  }
}

/** Copies a spec for Prism, with the edits that DIFFERENCES has for it. */
function prepared(spec) {
  const document = YAML.parse(fs.readFileSync(path.join(openapi, spec), "utf8"));
  for (const { edit } of DIFFERENCES.filter((difference) => difference.spec === spec)) {
    edit(document);
  }
  spellOutVariants(document);
  // Where the OpenAPI describes a refusal, Prism would answer with its sample of that; without it,
  // Prism says what it has found.
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
  for (const { responses } of operations.filter((operation) => operation.responses)) {
    for (const status of Object.keys(responses).filter((status) => !status.startsWith("2"))) {
      delete responses[status];
    }
  }
  const target = path.join(work, spec.replace(/[.]yml$/, ".json"));
  fs.writeFileSync(target, JSON.stringify(document));
  return target;
}

const prisms = [];

/** Starts a Prism and waits until it listens. */
function start(spec, port) {
  const cli = path.join(work, "node_modules/@stoplight/prism-cli/dist/index.js");
  const args = [cli, "mock", "--errors", "--multiprocess", "false"];
  const child = spawn(
    process.execPath,
    [...args, "--host", "127.0.0.1", "--port", String(port), prepared(spec)],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  prisms.push(child);
  return new Promise((resolve, reject) => {
    let said = "";
    const failed = (why) => reject(new Error(`Prism for ${spec} ${why}:\n${said}`));
    const timer = setTimeout(() => failed("does not listen"), START_MS);
    const read = (text) => {
      said = (said + text).slice(-4000);
      if (said.includes("is listening on")) {
        clearTimeout(timer);
        resolve(`http://127.0.0.1:${port}`);
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    child.on("error", (error) => failed(error.message));
    child.on("close", () => failed("has ended"));
  });
}

function stop() {
  for (const child of prisms) {
    child.kill();
  }
}

/** Method, host and path, the parameters without their names. */
function place(method, host, template) {
  return `${method} ${host} ${template.replace(/\{\{?[^}]*\}\}?/g, "{}")}`;
}

/** What Prism thinks of a request: nothing where it is right, else the reason. */
function verdict(output) {
  const { status_code: status, response_headers: headers = {}, json_body: body } = output;
  if (status === undefined) {
    return { refused: `not sent: ${JSON.stringify(output.error)}` };
  }
  const code = String(body?.type ?? "").split("prism/errors#")[1];
  if (code && MOCK_TROUBLE.includes(code)) {
    return { trouble: `${code}: ${body.detail ?? ""}` };
  }
  if (code || status < 200 || status > 299) {
    const places = body?.validation ?? [body?.detail ?? output.response_text ?? body];
    return { refused: `${status} ${code ?? ""} ${JSON.stringify(places)}` };
  }
  const violations = JSON.parse(headers["sl-violations"] ?? "[]");
  const ours = violations.filter((violation) => violation.location?.[0] === "request");
  return ours.length > 0 ? { refused: JSON.stringify(ours) } : {};
}

/** Writes out the short forms of long values, as the tests of schemas do: `$text` and `$list`. */
function expanded(value) {
  if (Array.isArray(value)) {
    return value.map(expanded);
  }
  if (value === null || typeof value !== "object") {
    return value;
  }
  if (value.$text) {
    return value.$text[0].repeat(value.$text[1]);
  }
  if (value.$list) {
    const item = expanded(value.$list[0]);
    return Array.from({ length: value.$list[1] }, (_, index) =>
      typeof item === "string" ? item.replaceAll("#", index.toString(16).padStart(32, "0")) : item,
    );
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, expanded(member)]),
  );
}

/** Messages as people write them, to be pushed. Those that the connector refuses are not sent. */
function composed(url) {
  const folder = "tests/cases/compose";
  const files = fs.readdirSync(folder).filter((name) => name.endsWith(".json"));
  return files.flatMap((file) => {
    const cases = JSON.parse(fs.readFileSync(path.join(folder, file), "utf8"));
    return cases.map(({ name, items, options = {} }) => ({
      name: `compose/${file}`,
      example: { title: name },
      url,
      document: {
        action: "send_push_message",
        inputs: { to: "U4af4980629f0b5a3c3d6b8a1d2e3f405", messages: expanded(items) },
        options: expanded(options),
      },
    }));
  });
}

/** The examples to send, each with the URL of the Prism that knows its operation. */
function cases(actions, urls) {
  const specs = new Map(
    INDEX.map((entry) => [place(entry.method, entry.host, entry.path), entry.spec]),
  );
  const found = [];
  for (const { name, meta, examples } of actions) {
    const template = `/${meta.endpoint}`;
    const spec = specs.get(place(meta.method, meta.host, template));
    const known = DIFFERENCES.find(({ unknown }) => unknown === `${meta.method} ${template}`);
    if (!spec && known) {
      console.log(`not sent: ${name}: ${known.reason}`);
      continue;
    }
    for (const example of examples.filter(({ reply }) => reply.status_code < 300)) {
      found.push({ name, example, url: spec && urls.get(spec) });
    }
  }
  return found;
}

async function send({ name, example, url, document }) {
  if (!url) {
    return { refused: "no OpenAPI file of the index has this operation" };
  }
  const { action, inputs, options } = document ?? { action: name, inputs: example.inputs };
  const output = await run(
    ["run"],
    JSON.stringify({
      action,
      asset: { url, data_url: url, manager_url: url, token: "t" },
      inputs,
      options: { ...options, attempts: 1, validation: "strict", timeout_ms: ANSWER_MS },
    }),
  );
  // The cases hold messages too that cannot be composed.
  if (document && output.error?.kind === "invalid_inputs") {
    return { unsent: true };
  }
  return verdict(output);
}

async function main() {
  const specs = [...new Set(INDEX.map((entry) => entry.spec))];
  const ports = await freePorts(specs.length);
  const [connector, ...started] = await Promise.all([
    run(["describe"]),
    ...specs.map((spec, index) => start(spec, ports[index])),
  ]);
  const urls = new Map(specs.map((spec, index) => [spec, started[index]]));
  const waiting = cases(connector.actions, urls);
  waiting.push(...composed(urls.get("messaging-api.yml")));
  let passed = 0;
  let failed = 0;
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const title = `${next.name}: ${next.example.title}`;
      const { refused, trouble, unsent } = await send(next);
      if (unsent) {
        continue;
      }
      if (refused) {
        failed += 1;
        console.log(`FAILED ${title}\n  ${refused}`);
        continue;
      }
      passed += 1;
      if (trouble) {
        console.log(`passed, without an answer: ${title}\n  ${trouble}`);
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.on(signal, () => process.exit(1));
}
process.on("exit", stop);

try {
  process.exitCode = await main();
} catch (error) {
  console.error(String(error.message ?? error));
  process.exitCode = 1;
} finally {
  stop();
}
