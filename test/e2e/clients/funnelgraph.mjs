// Shared by the test files: the server's URL, its schema, and the rule that nothing may
// be printed. A warning of a library points at a problem for front-end developers.
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { format } from "node:util";
import { buildSchema, isAbstractType } from "graphql";

export const url = process.env.FUNNELGRAPH_URL;
if (!url) throw new Error("FUNNELGRAPH_URL is not set: go test -tags clients ./test/e2e starts a server and sets it");

/** The schema file, as clients' tools read it. */
export const schemaFile = new URL("../../../schema.graphql", import.meta.url);
export const sdl = readFileSync(schemaFile, "utf8");
export const schema = buildSchema(sdl);

/** The possible types of each interface and union, as caches need them. */
export const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]),
);

/** A workspace of the demo with 310 contacts, some of which are deleted. */
export const largeWorkspace = "109";

// Warnings are printed at the end and fail the process even if all tests pass: a library
// may catch an error that is thrown here.
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

/** Sends an operation without a client library, and returns the response. */
export async function ask(query, variables) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, variables }),
  });
  return answer.json();
}

/** Returns a fetch function for a client, and the requests made with it. */
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

/** Waits until a condition holds: a client updates its results shortly after a response. */
export async function until(condition) {
  const end = Date.now() + 5000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`after 5 seconds this does not hold: ${condition}`);
    await setTimeout(5);
  }
}
