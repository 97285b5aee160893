// urql with Graphcache, which checks results against the schema and warns.
import assert from "node:assert/strict";
import test from "node:test";
import { Client, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";
import { introspectionFromSchema } from "graphql";
import { largeWorkspace, recorder, schema, until, url } from "./funnelgraph.mjs";

// Objects without an id are stored in their parent.
const keys = {
  ContactTagging: () => null,
  ContactVisits: () => null,
  CustomAttribute: () => null,
  EmailEngagement: () => null,
  Visit: () => null,
};

/** Returns a client configured as in an application, and its requests. */
function newClient(t) {
  const { fetch, requests } = recorder();
  const warnings = [];
  t.after(() => assert.deepEqual(warnings, [], "want no warnings of Graphcache"));
  return { client: newClientWith({ keys, fetch, warnings }), requests };
}

function newClientWith({ keys, fetch, warnings }) {
  const cache = cacheExchange({
    schema: introspectionFromSchema(schema),
    keys,
    resolvers: {
      Query: { contact: (_, { id }) => ({ __typename: "Contact", id }) },
      Workspace: { contacts: relayPagination() },
    },
    updates: {
      Mutation: {
        deleteContact({ deleteContact }, _, cache) {
          cache.invalidate({ __typename: "Contact", id: deleteContact.deletedContactId });
        },
      },
    },
    logger: (severity, message) => severity !== "debug" && warnings.push(message),
  });
  return new Client({ url, fetch, exchanges: [cache, fetchExchange], preferGetMethod: false });
}

/** Sends a query, and fails if there are errors. */
async function ask(client, query, variables, context) {
  const { data, error } = await client.query(query, variables, context).toPromise();
  assert.equal(error, undefined);
  return data;
}

async function change(client, mutation, input) {
  const { data, error } = await client.mutation(mutation, { input }).toPromise();
  assert.equal(error, undefined);
  return data;
}

const CONTACTS = gql`
  query Contacts($workspace: ID!, $first: Int!, $after: String) {
    workspace(id: $workspace) {
      id
      name
      contacts(first: $first, after: $after) {
        edges {
          cursor
          node {
            id
            firstName
            customAttributes {
              key
              value
            }
            taggings {
              appliedAt
              tag {
                id
                name
              }
            }
            visits {
              firstVisit {
                utmSource
              }
            }
            emailEngagement {
              lastEmailSentAt
            }
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  }
`;

const UPDATE = gql`
  mutation Update($input: UpdateContactInput!) {
    updateContact(input: $input) {
      contact {
        id
        firstName
      }
      userErrors {
        field
        message
        code
      }
    }
  }
`;

test("relayPagination walks 200 contacts, each once, into one list", async (t) => {
  const { client, requests } = newClient(t);
  let contacts, after;
  for (const length of [50, 100, 150, 200]) {
    contacts = (await ask(client, CONTACTS, { workspace: largeWorkspace, first: 50, after })).workspace.contacts;
    assert.equal(contacts.edges.length, length);
    assert.ok(contacts.pageInfo.hasNextPage);
    after = contacts.pageInfo.endCursor;
  }
  assert.equal(new Set(contacts.edges.map(({ node }) => node.id)).size, 200);
  assert.equal(requests.length, 4);
});

test("a mutation updates the list without another request", async (t) => {
  const { client, requests } = newClient(t);
  let edges;
  const { unsubscribe } = client.query(CONTACTS, { workspace: largeWorkspace, first: 5 }).subscribe(({ data }) => (edges = data?.workspace.contacts.edges));
  await until(() => edges);
  const { id, firstName } = edges[3].node;
  const { updateContact } = await change(client, UPDATE, { id, firstName: "Renamed by urql" });
  assert.deepEqual(updateContact.userErrors, []);
  await until(() => edges[3].node.firstName === "Renamed by urql");
  await change(client, UPDATE, { id, firstName });
  await until(() => edges[3].node.firstName === firstName);
  assert.deepEqual(requests.map(({ body }) => body.operationName), ["Contacts", "Update", "Update"]);
  unsubscribe();
});

test("a refused write has userErrors and leaves the cache unchanged", async (t) => {
  const { client } = newClient(t);
  const query = gql`
    query Taken($workspace: ID!) {
      workspace(id: $workspace) {
        id
        contacts(first: 2) {
          edges {
            node {
              id
              emailAddress
            }
          }
        }
      }
    }
  `;
  const before = await ask(client, query, { workspace: largeWorkspace });
  const [a, b] = before.workspace.contacts.edges.map(({ node }) => node);
  const { updateContact } = await change(client, UPDATE, { id: a.id, emailAddress: b.emailAddress });
  assert.equal(updateContact.contact, null);
  assert.deepEqual(updateContact.userErrors.map(({ field, code }) => [field, code]), [["emailAddress", "INVALID"]]);
  assert.deepEqual(await ask(client, query, { workspace: largeWorkspace }, { requestPolicy: "cache-only" }), before);
});

test("the cache finds a contact of the list by its id, with null for fields until they arrive", async (t) => {
  const { client, requests } = newClient(t);
  const { workspace } = await ask(client, CONTACTS, { workspace: largeWorkspace, first: 5 });
  const { id, firstName } = workspace.contacts.edges[0].node;
  const KNOWN = gql`
    query Known($id: ID!) {
      contact(id: $id) {
        id
        firstName
      }
    }
  `;
  assert.equal((await ask(client, KNOWN, { id })).contact.firstName, firstName);
  assert.equal(requests.length, 1);

  const MORE = gql`
    query More($id: ID!) {
      contact(id: $id) {
        id
        firstName
        emailAddress
      }
    }
  `;
  const shown = [];
  const { unsubscribe } = client.query(MORE, { id }).subscribe(({ data, stale }) => shown.push([data.contact.firstName, data.contact.emailAddress, stale]));
  await until(() => shown.length === 2);
  assert.deepEqual(shown[0], [firstName, null, true]);
  assert.match(shown[1][1], /@example\.com$/);
  assert.equal(requests.length, 2);
  unsubscribe();
});

test("a deleted contact disappears from the list", async (t) => {
  const { client } = newClient(t);
  const CREATE = gql`
    mutation Create($input: CreateContactInput!) {
      createContact(input: $input) {
        contact {
          id
        }
      }
    }
  `;
  const { createContact } = await change(client, CREATE, { workspaceId: "111", emailAddress: `urql.${Date.now()}@example.com` });
  let ids;
  const { unsubscribe } = client.query(CONTACTS, { workspace: "111", first: 100 }).subscribe(({ data }) => (ids = data?.workspace.contacts?.edges.map(({ node }) => node.id)));
  await until(() => ids?.includes(createContact.contact.id));
  const DELETE = gql`
    mutation Delete($input: DeleteContactInput!) {
      deleteContact(input: $input) {
        deletedContactId
      }
    }
  `;
  const { deleteContact } = await change(client, DELETE, { id: createContact.contact.id });
  assert.equal(deleteContact.deletedContactId, createContact.contact.id);
  // Rows are non-null, so the list is null from the deletion until it is fetched again.
  await until(() => ids && !ids.includes(createContact.contact.id));
  unsubscribe();
});

test("Graphcache warns about exactly the types declared without an id", async () => {
  const warnings = [];
  await ask(newClientWith({ keys: {}, warnings }), CONTACTS, { workspace: largeWorkspace, first: 50 });
  const types = new Set(warnings.map((warning) => warning.match(/config for `(\w+)`/)?.[1] ?? warning));
  assert.deepEqual([...types].sort(), Object.keys(keys).sort());
});
