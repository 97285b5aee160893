// The schema's file is what introspection tells, for those who read the file and for
// those who ask the server.
import assert from "node:assert/strict";
import test from "node:test";
import { assertValidSchema, buildClientSchema, buildSchema, getIntrospectionQuery, lexicographicSortSchema, printSchema } from "graphql";
import { ask, sdl } from "./funnelgraph.mjs";

const printed = (schema) => printSchema(lexicographicSortSchema(schema));

test("introspection and schema.graphql are one", async () => {
  const query = getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, inputValueDeprecation: true, oneOf: true });
  const { data, errors } = await ask(query);
  assert.equal(errors, undefined);
  const served = buildClientSchema(data);
  assertValidSchema(served);
  assert.equal(printed(served), printed(buildSchema(sdl)));
});
