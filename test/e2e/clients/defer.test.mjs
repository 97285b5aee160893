// Apollo Client and urql, configured as in an application, show deferred fields after the
// others.
import assert from "node:assert/strict";
import { test } from "node:test";

import { ApolloClient, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { Defer20220824Handler } from "@apollo/client/incremental";
import { Client, cacheExchange, fetchExchange } from "@urql/core";

const url = process.env.FUNNELGRAPH_URL;

const names = gql`
  query Names {
    workspace(id: "101") {
      id
      name
      ...Contacts @defer(label: "contacts")
    }
  }
  fragment Contacts on Workspace {
    contacts(first: 3) { nodes { id emailAddress ... @defer { tags { id name } } } }
  }`;

const missing = gql`
  query Missing {
    workspace(id: "101") {
      id
      name
      ... @defer { contact(id: "999") { id emailAddress } }
      ... @defer { contactTags(first: 1) { nodes { id name } } }
    }
  }`;

function apollo() {
  return new ApolloClient({
    link: new HttpLink({ uri: url }),
    cache: new InMemoryCache(),
    incrementalHandler: new Defer20220824Handler(),
  });
}

/** Returns all results that observers of a query get. */
function watched(client, query, options = {}) {
  return new Promise((resolve, reject) => {
    const told = [];
    client.watchQuery({ query, ...options }).subscribe({
      next(result) {
        if (result.dataState === "empty" && !result.error) return; // loading
        told.push(structuredClone({ state: result.dataState, data: result.data, error: result.error?.message }));
        if (!result.loading && result.networkStatus !== 9) resolve(told); // 9: streaming
      },
      error: reject,
    });
  });
}

test("Apollo Client shows names before contacts", async () => {
  const told = await watched(apollo(), names);
  assert.equal(told[0].state, "streaming");
  assert.equal(told[0].data.workspace.name, "Acme Academy");
  assert.ok(!("contacts" in told[0].data.workspace));
  const last = told.at(-1);
  assert.equal(last.state, "complete");
  assert.equal(last.data.workspace.contacts.nodes.length, 3);
  for (const contact of last.data.workspace.contacts.nodes) {
    assert.match(contact.emailAddress, /@example\.com$/);
    assert.ok(Array.isArray(contact.tags));
  }
});

test("Apollo Client caches all parts", async () => {
  const client = apollo();
  await watched(client, names);
  const whole = gql`{ workspace(id: "101") { id name contacts(first: 3) { nodes { id emailAddress tags { id name } } } } }`;
  const { data } = await client.query({ query: whole, fetchPolicy: "cache-only" });
  assert.equal(data.workspace.contacts.nodes.length, 3);
  assert.ok(Array.isArray(data.workspace.contacts.nodes[0].tags));
});

test("Apollo Client keeps other deferred parts if one fails", async () => {
  const told = await watched(apollo(), missing, { errorPolicy: "all" });
  const last = told.at(-1);
  assert.equal(last.data.workspace.name, "Acme Academy");
  assert.equal(last.data.workspace.contactTags.nodes.length, 1);
  assert.ok(last.error);
});

test("Apollo Client keeps rows to which a deferred fragment does not apply", async () => {
  const client = apollo();
  const { data } = await client.query({ query: gql`{ workspace(id: "101") { id team { id } } }` });
  const rows = gql`
    query Rows($ids: [ID!]!) {
      nodes(ids: $ids) {
        id
        ... on Workspace { name ... @defer { subdomain } }
        ... on Team @defer { name }
        ... on Contact @defer { emailAddress }
      }
    }`;
  const told = await watched(client, rows, { variables: { ids: [data.workspace.id, data.workspace.team.id] } });
  const [workspace, team] = told.at(-1).data.nodes;
  assert.equal(told.at(-1).state, "complete");
  assert.equal(workspace.name, "Acme Academy");
  assert.equal(workspace.subdomain, "acme-academy");
  assert.equal(team.name, "Acme Coaching");
});

test("urql gets a first part and then everything", async () => {
  const client = new Client({ url, exchanges: [cacheExchange, fetchExchange], preferGetMethod: false });
  const told = await new Promise((resolve) => {
    const told = [];
    client.query(names, {}).subscribe((result) => {
      told.push(structuredClone({ data: result.data, hasNext: result.hasNext, error: result.error?.message }));
      if (!result.hasNext) resolve(told);
    });
  });
  assert.equal(told[0].hasNext, true);
  assert.equal(told[0].data.workspace.name, "Acme Academy");
  assert.ok(!told[0].data.workspace.contacts);
  const last = told.at(-1);
  assert.equal(last.hasNext, false);
  assert.equal(last.error, undefined);
  assert.equal(last.data.workspace.contacts.nodes.length, 3);
  assert.ok(Array.isArray(last.data.workspace.contacts.nodes[2].tags));
});

test("a query without @defer gets plain JSON", async () => {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "multipart/mixed;deferSpec=20220824,application/json" },
    body: JSON.stringify({ query: '{ workspace(id: "101") { name } }' }),
  });
  assert.match(answer.headers.get("content-type"), /^application\/json/);
  assert.equal((await answer.json()).data.workspace.name, "Acme Academy");
});
