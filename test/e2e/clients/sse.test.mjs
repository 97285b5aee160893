// Responses as server-sent events, read by graphql-sse in its distinct connections mode.
import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient } from "graphql-sse";

const url = process.env.FUNNELGRAPH_URL;

/** Returns all results of an operation. */
async function all(request, options = {}) {
  const client = createClient({ url, retryAttempts: 0, headers: { "x-funnelgraph-explain": "0" }, ...options });
  const results = [];
  for await (const result of client.iterate(request)) results.push(result);
  client.dispose();
  return results;
}

test("a query gets one result", async () => {
  assert.deepEqual(await all({ query: '{ workspace(id: "101") { name } }' }), [{ data: { workspace: { name: "Acme Academy" } } }]);
});

test("variables reach the server", async () => {
  const results = await all({ query: "query($id: ID!) { workspace(id: $id) { name } }", variables: { id: "101" } });
  assert.equal(results[0].data.workspace.name, "Acme Academy");
});

test("deferred fragments arrive as further results", async () => {
  const results = await all({ query: '{ workspace(id: "101") { name ... @defer(label: "contacts") { contacts(first: 2) { nodes { emailAddress } } } } }' });
  assert.equal(results.length, 2);
  assert.deepEqual(results[0], { data: { workspace: { name: "Acme Academy" } }, hasNext: true });
  assert.equal(results[1].hasNext, false);
  const [part] = results[1].incremental;
  assert.equal(part.label, "contacts");
  assert.deepEqual(part.path, ["workspace"]);
  assert.equal(part.data.contacts.nodes.length, 2);
});

test("a failed field is null with an error", async () => {
  const [result] = await all({ query: '{ workspace(id: "999") { name } }' });
  assert.equal(result.data.workspace, null);
  assert.equal(result.errors[0].extensions.code, "NOT_FOUND");
});

test("an invalid query gets one result with errors and no data", async () => {
  const [result, ...more] = await all({ query: "{ nothing }" });
  assert.match(result.errors[0].message, /Cannot query field "nothing"/);
  assert.ok(!("data" in result));
  assert.deepEqual(more, []);
});

test("an invalid token is an error of the field", async () => {
  const [result] = await all({ query: "{ teams { nodes { id } } }" }, { headers: { authorization: "Bearer wrong" } });
  assert.equal(result.errors[0].extensions.code, "UNAUTHENTICATED");
});

test("a subscription gets an event for each change, and ends when the client stops", async () => {
  const client = createClient({ url, retryAttempts: 0 });
  const events = client.iterate({ query: 'subscription { events(workspaceId: "102", types: [CONTACT_CREATED]) { id type subject { ... on Contact { firstName } } } }' });
  const first = events.next();
  await new Promise((resolve) => setTimeout(resolve, 500)); // until the subscription has begun
  for (const firstName of ["First", "Second"]) {
    await all({ query: `mutation { createContact(input: { workspaceId: "102", firstName: "${firstName}", emailAddress: "${firstName}@example.com" }) { contact { id } } }` });
  }
  const { value } = await first;
  assert.equal(value.data.events.type, "contact.created");
  assert.equal(value.data.events.subject.firstName, "First");
  assert.equal((await events.next()).value.data.events.subject.firstName, "Second");
  await events.return();
  client.dispose();
});
