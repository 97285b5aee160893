// The schema file equals the introspected schema: some tools read the file, others query
// the server.
import assert from "node:assert/strict";
import test from "node:test";
import { assertValidSchema, buildClientSchema, buildSchema, getIntrospectionQuery, isObjectType, lexicographicSortSchema, printSchema } from "graphql";
import { ask, schema, sdl } from "./funnelgraph.mjs";

const printed = (schema) => printSchema(lexicographicSortSchema(schema));

test("introspection returns schema.graphql", async () => {
  const query = getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true });
  const { data, errors } = await ask(query);
  assert.equal(errors, undefined);
  const served = buildClientSchema(data);
  assertValidSchema(served);
  assert.equal(printed(served), printed(buildSchema(sdl)));
});

// Caches use ids as keys of records, and Relay refetches records with node.
test("every type with an id implements Node", () => {
  const withId = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && String(type.getFields().id?.type) === "ID!");
  assert.ok(withId.length > 0);
  for (const type of withId) assert.ok(type.getInterfaces().some(({ name }) => name === "Node"), type.name);
});
