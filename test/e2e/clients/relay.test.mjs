// Relay: the compiler accepts the schema unchanged. The runtime paginates, refetches by
// id, and updates its store.
import assert from "node:assert/strict";
import test from "node:test";
import relay from "relay-runtime";
import { largeWorkspace, recorder, url } from "./funnelgraph.mjs";
import { artifact, compiled } from "./relay.mjs";

const { commitMutation, createOperationDescriptor, Environment, fetchQuery, getRequest, getSingularSelector, Network, RecordSource, Store } = relay;

test("the compiler accepts the schema without warnings", () => {
  assert.equal(compiled.status, 0, compiled.stdout + compiled.stderr);
  for (const line of (compiled.stdout + compiled.stderr).split("\n")) assert.match(line, /^(\[INFO\] .*)?$/);
});

/** Returns an environment configured as in an application, and its requests. */
function newEnvironment() {
  const { fetch, requests } = recorder();
  const network = Network.create(async ({ text, name }, variables) => {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: text, operationName: name, variables }),
    });
    return answer.json();
  });
  return { environment: new Environment({ network, store: new Store(new RecordSource()) }), requests };
}

/** Fetches and retains a query, and returns its data. */
async function load(environment, name, variables) {
  const operation = createOperationDescriptor(getRequest(artifact(name)), variables);
  environment.retain(operation);
  await fetchQuery(environment, artifact(name), variables).toPromise();
  return read(environment, operation.fragment);
}

function read(environment, selector) {
  const { data, isMissingData } = environment.lookup(selector);
  assert.ok(!isMissingData, "want no missing data");
  return data;
}

/** Returns the data of a fragment as its component gets it. */
const fragment = (environment, name, reference) => read(environment, getSingularSelector(artifact(name), reference));

function commit(environment, name, variables) {
  return new Promise((resolve, reject) =>
    commitMutation(environment, {
      mutation: artifact(name),
      variables,
      onCompleted: (data, errors) => (errors ? reject(new Error(JSON.stringify(errors))) : resolve(data)),
      onError: reject,
    }),
  );
}

/** Opens a list as its component does. */
async function openList(environment, workspace, count) {
  const reference = (await load(environment, "ContactsQuery", { workspace, count })).workspace;
  const contacts = () => fragment(environment, "Contacts_workspace", reference).contacts;
  return {
    connection: contacts().__id,
    nodes: () => contacts().edges.map(({ node }) => node),
    hasMore: () => contacts().pageInfo.hasNextPage,
    async more() {
      const { id } = fragment(environment, "Contacts_workspace", reference);
      await load(environment, "ContactsPaginationQuery", { id, count, cursor: contacts().pageInfo.endCursor });
    },
  };
}

test("the pagination fragment walks 200 contacts, each once, into one connection", async () => {
  const { environment, requests } = newEnvironment();
  const list = await openList(environment, largeWorkspace, 50);
  for (const length of [50, 100, 150, 200]) {
    if (length > 50) await list.more();
    assert.equal(list.nodes().length, length);
    assert.ok(list.hasMore());
  }
  assert.equal(new Set(list.nodes().map(({ id }) => id)).size, 200);
  assert.deepEqual(requests.map(({ body }) => body.operationName), ["ContactsQuery", ...Array(3).fill("ContactsPaginationQuery")]);
});

test("node refetches a contact of the list", async () => {
  const { environment } = newEnvironment();
  const list = await openList(environment, largeWorkspace, 5);
  const { id, firstName } = list.nodes()[1];
  const { node } = await load(environment, "ContactsOneQuery", { id });
  const contact = fragment(environment, "Contacts_one", node.contact);
  assert.equal(contact.id, id);
  assert.equal(contact.firstName, firstName);
  assert.equal(contact.workspace.team.name, "Loja do Sol");

  await load(environment, "ContactsOneRefetchQuery", { id });
  assert.equal(fragment(environment, "Contacts_one", node.contact).firstName, firstName);
});

test("a mutation updates the record in the list", async () => {
  const { environment, requests } = newEnvironment();
  const list = await openList(environment, largeWorkspace, 5);
  const { id, firstName } = list.nodes()[4];
  const { updateContact } = await commit(environment, "ContactsUpdateMutation", { input: { id, firstName: "Renamed by Relay" } });
  assert.deepEqual(updateContact.userErrors, []);
  assert.equal(list.nodes()[4].firstName, "Renamed by Relay");
  await commit(environment, "ContactsUpdateMutation", { input: { id, firstName } });
  assert.equal(list.nodes()[4].firstName, firstName);
  assert.equal(requests.length, 3);
});

test("a refused write has userErrors and changes no record", async () => {
  const { environment } = newEnvironment();
  const list = await openList(environment, largeWorkspace, 5);
  const [a, b] = list.nodes();
  const { updateContact } = await commit(environment, "ContactsUpdateMutation", { input: { id: a.id, emailAddress: b.emailAddress } });
  assert.equal(updateContact.contact, null);
  assert.deepEqual(updateContact.userErrors.map(({ field, code }) => [field, code]), [["emailAddress", "INVALID"]]);
  assert.deepEqual(list.nodes()[0], a);
});

test("a created contact is appended to the list, and a deleted one removed", async () => {
  const { environment, requests } = newEnvironment();
  const list = await openList(environment, "111", 100);
  const before = list.nodes();
  const connections = [list.connection];
  const emailAddress = `relay.${Date.now()}@example.com`;
  const { createContact } = await commit(environment, "ContactsCreateMutation", { connections, input: { workspaceId: "111", emailAddress } });
  assert.deepEqual(list.nodes().map((node) => node.emailAddress), [...before.map((node) => node.emailAddress), emailAddress]);
  await commit(environment, "ContactsDeleteMutation", { connections, input: { id: createContact.contact.id } });
  assert.deepEqual(list.nodes(), before);
  assert.equal(requests.length, 3);
});

test("@catch gets the error of a failed field with its code", async () => {
  const { environment } = newEnvironment();
  const { workspace, contact } = await load(environment, "ContactsPartlyQuery", { workspace: largeWorkspace, contact: "404" });
  assert.equal(workspace.name, "Sol Cursos");
  assert.equal(contact.ok, false);
  assert.deepEqual(contact.errors.map(({ extensions }) => extensions.code), ["NOT_FOUND"]);
});
