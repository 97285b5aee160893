// Compares the server with graphql-js on random operations: validation, error messages,
// data, and the merged parts of deferred responses. FUNNELGRAPH_SEED sets the seed, and
// FUNNELGRAPH_OPERATIONS the number of operations.
import assert from "node:assert/strict";
import { test } from "node:test";

import { execute, getArgumentValues, getVariableValues, parse, print, validate, visit, visitWithTypeInfo, TypeInfo, Kind } from "graphql";

import { ask, schema, url } from "./funnelgraph.mjs";
import { Random, Writer, disturbed } from "./random.mjs";

const seed = Number(process.env.FUNNELGRAPH_SEED || 17);
const operations = Number(process.env.FUNNELGRAPH_OPERATIONS || 2000);

/**
 * Generates operations and compares each, eight at a time. It fails with the first
 * differences, and otherwise returns the number of operations by outcome.
 */
async function forEach(write, compare) {
  const all = Array.from({ length: operations }, (_, i) => write(i));
  const differences = [];
  let next = 0;
  const counts = {};
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (next < all.length && differences.length < 5) {
        const operation = all[next++];
        const kind = await compare(operation).catch((err) => {
          differences.push([err.message, ...Object.values(operation)].join("\n"));
        });
        counts[kind] = (counts[kind] ?? 0) + 1;
      }
    }),
  );
  assert.equal(differences.length, 0, `seed ${seed}:\n${differences.join("\n\n")}`);
  return counts;
}

/** Sends an operation. The variables are JSON text, which is sent unchanged. */
async function send(document, variables, { operationName, accept = "application/graphql-response+json" } = {}) {
  const parts = [`"query":${JSON.stringify(document)}`];
  if (variables) parts.push(`"variables":${variables}`);
  if (operationName) parts.push(`"operationName":${JSON.stringify(operationName)}`);
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", accept }, body: `{${parts.join(",")}}` });
  return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
}

function problems(document) {
  try {
    return validate(schema, parse(document));
  } catch (err) {
    return [err];
  }
}

test("documents are valid as in graphql-js", async () => {
  const random = new Random(seed);
  const counts = await forEach(
    () => {
      const wild = random.chance(0.5) ? 0 : 0.02;
      const { document } = new Writer(random, { wild, depth: 4 }).operation(random.chance(0.8) ? "query" : "mutation");
      return { document: random.chance(0.25) ? disturbed(random, document) : document };
    },
    async ({ document }) => {
      const { text } = await send(document, undefined, { operationName: "Nowhere" });
      const { errors } = JSON.parse(text);
      if (errors[0].extensions.limit) return "limited";
      const accepted = /^operation Nowhere not found/.test(errors[0].message);
      const expected = problems(document);
      assert.equal(accepted, expected.length === 0, `the server says ${text}\ngraphql-js says ${expected.map((err) => err.message).join("; ")}`);
      for (const err of errors) assert.equal(err.path, undefined, `a request error has a path: ${text}`);
      return accepted ? "accepted" : "refused";
    },
  );
  assert.ok(counts.accepted > operations / 4 && counts.refused > operations / 10 && !(counts.limited > operations / 10), JSON.stringify(counts));
});

// Removes the parts of a message that differ between the implementations: printed values
// and suggestions.
function alike(message) {
  return message
    .replace(/ Did you mean .*$/s, "")
    .replace(/got invalid value .*?(?=( at "[^"]*")?; (Expected|Field|Value|Enum|\w+ cannot))/s, "got _")
    .replace(/cannot represent (.*?)value: .*$/s, "cannot represent a value")
    .replace(/cannot represent .* value: .*$/s, "cannot represent a value")
    .replace(/has (an )?invalid value.*$/s, "has an invalid value");
}

// Returns the errors of all arguments in an operation.
function argumentErrors(document, variables) {
  const errors = [];
  const info = new TypeInfo(schema);
  visit(document, visitWithTypeInfo(info, {
    Field(node) {
      try {
        getArgumentValues(info.getFieldDef(), node, variables);
      } catch (err) {
        errors.push(err.message);
      }
    },
  }));
  return errors;
}

test("variables and literals are coerced as in graphql-js", async () => {
  const random = new Random(seed + 1);
  const inputs = (type) => Object.values(type.getFields()).filter((f) => f.args.length > 0).map((f) => f.name);
  const counts = await forEach(
    () => {
      const kind = random.chance(0.6) ? "query" : "mutation";
      const writer = new Writer(random, { wild: random.chance(0.5) ? 0 : 0.05, wildValues: random.chance(0.4) ? 0 : 0.25 });
      const type = kind === "query" ? schema.getQueryType() : schema.getMutationType();
      const of = random.chance(0.5) || kind === "mutation" ? type : schema.getType("Workspace");
      const field = of.getFields()[random.pick(inputs(of))];
      // Mutations are skipped, so that nothing changes, and lists select only __typename.
      const set = `${field.name}${writer.arguments(field)}${kind === "mutation" ? " @skip(if: true)" : ""} { __typename }`;
      const defined = [...writer.variables].map(([name, v]) => `$${name}: ${v.type}${v.default === undefined ? "" : ` = ${v.default}`}`);
      const values = [...writer.variables].filter(([, v]) => v.value !== undefined).map(([name, v]) => `"${name}":${v.value}`);
      return {
        document: `${kind}${defined.length > 0 ? `(${defined.join(", ")})` : ""} { ${of === type ? set : `workspace(id: "101", subdomain: "acme-academy") { ${set} }`} __typename }`,
        variables: `{${values.join(",")}}`,
      };
    },
    async ({ document, variables }) => {
      const { status, text } = await send(document, variables);
      const answer = JSON.parse(text);
      if (answer.errors?.[0].extensions.limit) return "limited";
      const invalid = problems(document);
      if (invalid.length > 0) {
        assert.equal(status, 400, `graphql-js says ${invalid[0].message}\nthe server says ${text}`);
        return "invalid";
      }
      const parsed = parse(document);
      const { errors, coerced } = getVariableValues(schema, parsed.definitions[0].variableDefinitions ?? [], JSON.parse(variables));
      if (errors) {
        assert.equal(status, 400, `graphql-js says ${errors[0].message}\nthe server says ${text}`);
        const expected = errors.map((err) => alike(err.message)).slice(0, 10);
        assert.deepEqual(answer.errors.slice(0, 10).map((err) => alike(err.message)).sort(), expected.sort(), text);
        for (const err of answer.errors) assert.ok(err.locations && !err.path, text);
        return "refused";
      }
      assert.equal(status, 200, text);
      if (document.startsWith("mutation")) return "coerced";
      const expected = argumentErrors(parsed, coerced).map(alike);
      const got = (answer.errors ?? []).filter((err) => /^Argument /.test(err.message)).map((err) => alike(err.message));
      assert.deepEqual(got, expected, text);
      return expected.length > 0 ? "field refused" : "coerced";
    },
  );
  assert.ok(counts.refused > operations / 20 && counts.coerced > operations / 4 && counts["field refused"] > 0, JSON.stringify(counts));
});

// Adds __typename to every selection set.
const typed = (document) =>
  print(
    visit(parse(document), {
      SelectionSet: (node) => ({ ...node, selections: [{ kind: Kind.FIELD, name: { kind: Kind.NAME, value: "__typename" }, alias: { kind: Kind.NAME, value: "type_" } }, ...node.selections] }),
    }),
  );

/** Executes an operation in graphql-js over the objects of a response. */
function executed(document, variables, data) {
  return execute({
    schema,
    document: parse(document),
    rootValue: data,
    variableValues: JSON.parse(variables),
    fieldResolver: (source, _args, _context, info) => source[info.path.key],
    typeResolver: (source) => source.type_,
  });
}

/** Moves random selections of a document into deferred fragments. */
function scattered(random, document) {
  const on = () => random.pick(["", "", "", "(if: true)", "(if: false)", '(label: "later")', "(if: $yes)", "(if: $no)"]);
  const directive = () => parse(`{ ... @defer${on()} { id } }`).definitions[0].selectionSet.selections[0].directives[0];
  return print(
    visit(parse(document), {
      SelectionSet: {
        leave(node) {
          const now = [];
          const later = [];
          for (let selection of node.selections) {
            if (selection.kind !== Kind.FIELD && random.chance(0.4)) selection = { ...selection, directives: [...selection.directives, directive()] };
            (random.chance(0.3) ? later : now).push(selection);
          }
          if (later.length > 0) now.push({ kind: Kind.INLINE_FRAGMENT, directives: [directive()], selectionSet: { kind: Kind.SELECTION_SET, selections: later } });
          return { ...node, selections: now };
        },
      },
    }),
  );
}

/** Parses a response, and merges its parts if it has several. */
function merged({ type, text }) {
  if (!type.startsWith("multipart/mixed")) return JSON.parse(text);
  const parts = text.split(/\r\n---(?:--)?\r\n/).map((part) => part.slice(part.indexOf("\r\n\r\n") + 4).trim()).filter((part) => part !== "" && part.startsWith("{")).map((part) => JSON.parse(part));
  const whole = { data: parts[0].data, errors: parts[0].errors ?? [], parts };
  assert.ok(parts.every((part, i) => part.hasNext === i < parts.length - 1), `want hasNext false in the last part only: ${text}`);
  assert.ok(parts.some((part) => part.incremental?.length > 0), `want deferred parts after the first one: ${text}`);
  for (const part of parts.slice(1)) {
    for (const { data, path, errors } of part.incremental ?? []) {
      whole.errors.push(...(errors ?? []));
      assert.ok(data !== null || errors?.length > 0, `want an error with a part that is null: ${text}`);
      let at = whole.data;
      for (const step of path) at = at?.[step];
      assert.ok(at, `want an object at ${path}: ${text}`);
      if (data) merge(at, data);
    }
  }
  return whole;
}

function merge(into, from) {
  for (const [key, value] of Object.entries(from)) {
    if (value && into[key] && typeof value === "object") merge(into[key], value);
    else into[key] = value;
  }
}

// Removes the keys that are null or missing in one of two responses because of an error.
function without(got, want) {
  if (!got || !want || typeof got !== "object") return;
  for (const key of new Set([...Object.keys(got), ...Object.keys(want)])) {
    if (got[key] == null || want[key] == null) {
      delete got[key];
      delete want[key];
    } else without(got[key], want[key]);
  }
}

const kindsOf = {
  contacts: "Contact", contactTags: "ContactTag", funnels: "Funnel", pages: "Page", formSubmissions: "FormSubmission", orders: "Order",
  products: "Product", courses: "Course", salesPipelines: "SalesPipeline", salesOpportunities: "SalesOpportunity",
};

test("data and merged parts are those of graphql-js", async () => {
  const { data } = await ask(`{ teams(first: 2) { nodes { id workspaces(first: 2) { nodes { id ${Object.keys(kindsOf).map((list) => `${list}(first: 2) { nodes { id } }`).join(" ")} } } } } }`);
  const known = { Team: [], Workspace: [], Node: ['"nothing"'] };
  const learn = (kind, id) => {
    (known[kind] ??= []).push(JSON.stringify(id));
    known.Node.push(JSON.stringify(id));
  };
  for (const team of data.teams.nodes) {
    learn("Team", team.id);
    for (const workspace of team.workspaces.nodes) {
      learn("Workspace", workspace.id);
      for (const [list, kind] of Object.entries(kindsOf)) for (const { id } of workspace[list].nodes) learn(kind, id);
    }
  }
  const random = new Random(seed + 2);
  const args = (field, writer) => {
    const of = field.type.name ?? field.type.ofType?.name;
    if (field.args.some((arg) => arg.name === "first")) return `(${writer.random.pick(["first", "first", "last"])}: ${1 + writer.random.int(3)})`;
    if (field.name === "nodes" && field.args.length > 0) return `(ids: [${[1, 2, 3].map(() => writer.random.pick(known.Node)).join(", ")}])`;
    if (field.args.some((arg) => arg.name === "key")) return `(key: ${writer.random.pick(['"city"', '"plan"', '"none"'])})`;
    const required = field.args.filter((arg) => arg.name === "id");
    return required.length > 0 ? `(id: ${writer.random.pick(known[of] ?? known.Node)})` : "";
  };
  const roots = ["teams", "team", "workspace", "node", "nodes", "contact"];
  const counts = await forEach(
    () => {
      for (;;) {
        const writer = new Writer(random, { depth: 4, args, roots, variables: false });
        writer.conditions = () => (random.chance(0.12) ? ` @${random.pick(["skip", "include"])}(if: ${random.pick(["$yes", "$no", "true", "false"])})` : "");
        const { document } = writer.operation();
        const deferred = scattered(random, document);
        const head = "query Random($yes: Boolean! = true, $no: Boolean! = false)";
        const [whole, split] = [document, deferred].map((text) => text.replace("query Random", head));
        const unused = (err) => /is never used/.test(err.message);
        if (problems(whole).every(unused) && problems(split).every(unused)) {
          return { document: used(whole), deferred: used(split), variables: '{"yes":true}' };
        }
      }
    },
    async ({ document, deferred, variables }) => {
      const plain = JSON.parse((await send(document, variables)).text);
      const objects = JSON.parse((await send(typed(document), variables)).text);
      const answer = merged(await send(deferred, variables, { accept: "multipart/mixed;deferSpec=20220824, application/json" }));
      if ([plain, objects, answer].some(({ errors }) => errors?.[0]?.extensions.limit)) return "limited";
      assert.ok(plain.data && objects.data && answer.data, JSON.stringify([plain.errors, objects.errors, answer.errors]));
      const { data: expected, errors } = await executed(document, variables, objects.data);
      assert.equal(errors, undefined, String(errors));
      assert.equal(JSON.stringify(plain.data), JSON.stringify(expected), "want the data of graphql-js");

      const failed = plain.errors?.length > 0;
      assert.equal(answer.errors?.length > 0, failed, `errors in parts: ${JSON.stringify(answer.errors)}, in one piece: ${JSON.stringify(plain.errors)}`);
      if (failed) without(answer.data, plain.data);
      assert.deepEqual(answer.data, plain.data, "want the same data in parts");
      return answer.parts ? "in parts" : "whole";
    },
  );
  assert.ok(counts["in parts"] > operations / 4, JSON.stringify(counts));
});

// Uses both variables, which every document defines.
const used = (document) => document.replace("{", "{ yes: __typename @include(if: $yes) no: __typename @skip(if: $no)");
