// What the files of tests share: where the server is, its schema, and that nothing may
// be printed. A library that warns has found something that a front-end developer
// would stumble over.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { format } from "node:util";
import { buildSchema, isAbstractType } from "graphql";

export const url = process.env.FUNNELGRAPH_URL;
if (!url) throw new Error("FUNNELGRAPH_URL is not set: go test -tags clients ./e2e starts a server and sets it");

/** The schema as a file, as clients' tools read it. */
export const schemaFile = new URL("../../schema.graphql", import.meta.url);
export const sdl = readFileSync(schemaFile, "utf8");
export const schema = buildSchema(sdl);

/** The types that stand behind each interface, as caches want to know them. */
export const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
);

/** The demo's workspace of 310 contacts, some of which are deleted. */
export const largeWorkspace = "109";

// Warnings are printed at the end and fail the process, whatever the tests say: a
// library may swallow what is thrown at it.
const printed = [];
for (const level of ["warn", "error"]) {
  console[level] = (...words) => printed.push(`console.${level}: ${format(...words)}`);
}
process.on("warning", (warning) => printed.push(`${warning.name}: ${warning.message}`));
process.on("exit", () => {
  if (printed.length > 0) {
    process.exitCode = 1;
    process.stderr.write(printed.join("\n") + "\n");
  }
});

/** Sends an operation without any client, and returns the answer. */
export async function ask(query, variables) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return answer.json();
}

/** A fetch for a client, and the requests that were made with it. */
export function recorder() {
  const requests = [];
  return {
    requests,
    async fetch(resource, options = {}) {
      const answer = await fetch(resource, options);
      requests.push({ method: options.method ?? "GET", url: String(resource), body: options.body && JSON.parse(options.body), status: answer.status });
      return answer;
    },
  };
}

/** Waits until something is so: what a client shows comes a moment after its answer. */
export async function until(condition) {
  const end = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`it never came to ${condition}`);
    await setTimeout(5);
  }
}
