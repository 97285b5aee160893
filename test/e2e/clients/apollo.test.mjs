// Apollo Client: the normalized cache, Relay pagination, errors, and persisted queries.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import test from "node:test";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from "@apollo/client";
import { loadDevMessages, loadErrorMessages } from "@apollo/client/dev";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { relayStylePagination } from "@apollo/client/utilities";
import { largeWorkspace, possibleTypes, recorder, until, url } from "./funnelgraph.mjs";

loadDevMessages(); // for warnings as text
loadErrorMessages();

/** Returns a client configured as in an application, and its requests. */
function newClient(...links) {
  const { fetch, requests } = recorder();
  const cache = new InMemoryCache({
    possibleTypes,
    typePolicies: {
      Workspace: { fields: { contacts: relayStylePagination(["filter", "sort"]) } },
      // Objects without an id, of which components select different fields.
      ContactVisits: { merge: true },
      EmailEngagement: { merge: true },
    },
  });
  const client = new ApolloClient({ cache, link: ApolloLink.from([...links, new HttpLink({ uri: url, fetch })]) });
  return { client, cache, requests };
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
            tags {
              id
              name
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

/** Watches the list as a component does. */
async function watch(client, first) {
  const list = client.watchQuery({ query: CONTACTS, variables: { workspace: largeWorkspace, first } });
  let contacts, subscription;
  await new Promise((resolve, reject) => {
    subscription = list.subscribe(({ data, error }) => {
      contacts = data?.workspace.contacts;
      if (error) reject(error);
      else if (contacts) resolve();
    });
  });
  return {
    edges: () => contacts.edges,
    hasMore: () => contacts.pageInfo.hasNextPage,
    /** Fetches the next page, and waits until the list includes it. */
    async more() {
      const { length } = contacts.edges;
      await list.fetchMore({ variables: { after: contacts.pageInfo.endCursor } });
      await until(() => contacts.edges.length > length);
    },
    end: () => subscription.unsubscribe(),
  };
}

test("fetchMore walks 200 contacts, each once, into one list", async () => {
  const { client, cache, requests } = newClient();
  const page = await watch(client, 50);
  for (const length of [50, 100, 150, 200]) {
    if (length > 50) await page.more();
    assert.equal(page.edges().length, length);
    assert.ok(page.hasMore());
  }
  assert.equal(new Set(page.edges().map(({ node }) => node.id)).size, 200);
  assert.equal(requests.length, 4);

  const kept = cache.readQuery({ query: CONTACTS, variables: { workspace: largeWorkspace, first: 50 } });
  assert.equal(kept.workspace.contacts.edges.length, 200);
  const contacts = Object.keys(cache.extract()).filter((key) => key.startsWith("Contact:"));
  assert.equal(contacts.length, 200);
  page.end();
});

test("the walk ends at the end of the list", async () => {
  const { client } = newClient();
  const page = await watch(client, 100);
  while (page.hasMore()) await page.more();
  const ids = page.edges().map(({ node }) => node.id);
  assert.ok(ids.length > 200);
  assert.equal(new Set(ids).size, ids.length);
  page.end();
});

test("relayStylePagination merges edges and not nodes", async () => {
  const { client } = newClient();
  const query = gql`
    query Nodes($workspace: ID!, $after: String) {
      workspace(id: $workspace) {
        id
        contacts(first: 5, after: $after) {
          nodes {
            id
          }
          pageInfo {
            endCursor
          }
        }
      }
    }
  `;
  const list = client.watchQuery({ query, variables: { workspace: largeWorkspace } });
  let contacts;
  const subscription = list.subscribe(({ data }) => (contacts = data?.workspace.contacts));
  await until(() => contacts);
  const first = contacts.nodes[0].id;
  await list.fetchMore({ variables: { after: contacts.pageInfo.endCursor } });
  await until(() => contacts.nodes[0].id !== first); // as docs/clients.md describes
  assert.equal(contacts.nodes.length, 5);
  subscription.unsubscribe();
});

test("a mutation updates the list without another request", async () => {
  const { client, requests } = newClient();
  const page = await watch(client, 5);
  const { id, firstName } = page.edges()[2].node;
  const { data } = await client.mutate({ mutation: UPDATE, variables: { input: { id, firstName: "Renamed by Apollo" } } });
  assert.deepEqual(data.updateContact.userErrors, []);
  await until(() => page.edges()[2].node.firstName === "Renamed by Apollo");
  assert.equal(requests.length, 2);
  await client.mutate({ mutation: UPDATE, variables: { input: { id, firstName } } });
  await until(() => page.edges()[2].node.firstName === firstName);
  page.end();
});

test("the cache finds a contact of the list by its id", async () => {
  const { client, requests } = newClient();
  const page = await watch(client, 5);
  const { id, firstName } = page.edges()[0].node;
  const fragment = gql`
    fragment Name on Contact {
      firstName
    }
  `;
  assert.equal(client.readFragment({ id: client.cache.identify({ __typename: "Contact", id }), fragment }).firstName, firstName);
  assert.equal(requests.length, 1);

  const { data } = await client.query({
    query: gql`
      query Again($id: ID!) {
        node(id: $id) {
          id
          ... on Contact {
            firstName
          }
        }
      }
    `,
    variables: { id },
  });
  assert.deepEqual(data.node, { __typename: "Contact", id, firstName });
  page.end();
});

test("fields of objects without an id are merged", async () => {
  const { client, requests } = newClient();
  const first = gql`
    query First($workspace: ID!) {
      contact(id: "3000000369", workspaceId: $workspace) {
        id
        visits {
          firstVisit {
            uuid
          }
        }
        emailEngagement {
          lastEmailSentAt
        }
      }
    }
  `;
  const last = gql`
    query Last($workspace: ID!) {
      contact(id: "3000000369", workspaceId: $workspace) {
        id
        visits {
          lastVisit {
            uuid
          }
        }
        emailEngagement {
          lastEmailOpenedAt
        }
      }
    }
  `;
  const variables = { workspace: largeWorkspace };
  const before = await client.query({ query: first, variables });
  assert.ok(before.data.contact.visits && before.data.contact.emailEngagement);
  await client.query({ query: last, variables });
  assert.deepEqual((await client.query({ query: first, variables })).data, before.data);
  assert.equal(requests.length, 2);
});

test("a refused write has userErrors", async () => {
  const { client } = newClient();
  const { data: taken } = await client.query({
    query: gql`
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
    `,
    variables: { workspace: largeWorkspace },
  });
  const [a, b] = taken.workspace.contacts.edges;
  const { data, error } = await client.mutate({ mutation: UPDATE, variables: { input: { id: a.node.id, emailAddress: b.node.emailAddress } } });
  assert.equal(error, undefined);
  assert.equal(data.updateContact.contact, null);
  assert.deepEqual(data.updateContact.userErrors, [
    { __typename: "UserError", field: "emailAddress", message: "Email address has already been taken", code: "INVALID" },
  ]);
});

const PARTLY = gql`
  query Partly($workspace: ID!) {
    workspace(id: $workspace) {
      id
      name
    }
    contact(id: "404", workspaceId: $workspace) {
      id
      firstName
    }
  }
`;

test('errorPolicy "all" returns partial data and errors with codes', async () => {
  const { client } = newClient();
  const { data, error } = await client.query({ query: PARTLY, variables: { workspace: largeWorkspace }, errorPolicy: "all" });
  assert.equal(data.workspace.name, "Sol Cursos");
  assert.equal(data.contact, null);
  assert.ok(CombinedGraphQLErrors.is(error));
  assert.deepEqual(error.errors.map(({ path, extensions }) => [path, extensions.code]), [[["contact"], "NOT_FOUND"]]);
});

test("without errorPolicy a partial response fails the query", async () => {
  const { client } = newClient();
  await assert.rejects(client.query({ query: PARTLY, variables: { workspace: largeWorkspace } }), CombinedGraphQLErrors);
});

test("persisted queries use GET and send their text once", async () => {
  const persisted = new PersistedQueryLink({ sha256: (text) => createHash("sha256").update(text).digest("hex"), useGETForHashedQueries: true });
  const { client, requests } = newClient(persisted);
  // A unique text: the server does not know it, so its first response asks for it.
  const query = gql(`query New${Date.now()} { teams { nodes { id name } } }`);
  const ask = async () => (await client.query({ query, fetchPolicy: "network-only" })).data.teams.nodes.length;
  assert.equal(await ask(), 3);
  assert.equal(await ask(), 3);
  assert.deepEqual(requests.map(({ method, status }) => `${method} ${status}`), ["GET 400", "POST 200", "GET 200"]);
  assert.ok(requests.every(({ method, url, body }) => (method === "GET" ? !url.includes("nodes") : body.query.includes("nodes"))));
});

test("persisted mutations use POST", async () => {
  const persisted = new PersistedQueryLink({ sha256: (text) => createHash("sha256").update(text).digest("hex"), useGETForHashedQueries: true });
  const { client, requests } = newClient(persisted);
  const { data } = await client.mutate({
    mutation: gql`
      mutation Upsert($workspace: ID!) {
        upsertContact(input: { workspaceId: $workspace, emailAddress: "apollo@example.com" }) {
          contact {
            id
            emailAddress
          }
        }
      }
    `,
    variables: { workspace: "110" },
  });
  assert.equal(data.upsertContact.contact.emailAddress, "apollo@example.com");
  assert.ok(requests.every(({ method }) => method === "POST"));
});
