// The schema's file is what introspection tells, for those who read the file and for
// those who ask the server.
import assert from "node:assert/strict";
import test from "node:test";
import { assertValidSchema, buildClientSchema, buildSchema, getIntrospectionQuery, isObjectType, lexicographicSortSchema, printSchema } from "graphql";
import { ask, schema, sdl } from "./funnelgraph.mjs";

const printed = (schema) => printSchema(lexicographicSortSchema(schema));

test("introspection and schema.graphql are one", async () => {
  const query = getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true });
  const { data, errors } = await ask(query);
  assert.equal(errors, undefined);
  const served = buildClientSchema(data);
  assertValidSchema(served);
  assert.equal(printed(served), printed(buildSchema(sdl)));
});

// Caches take an id for the key of a record, and Relay fetches it again by node.
test("what has an id is a Node", () => {
  const withId = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && type.getFields().id);
  assert.ok(withId.length > 0);
  for (const type of withId) assert.ok(type.getInterfaces().some(({ name }) => name === "Node"), type.name);
});
