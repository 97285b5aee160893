// Subscriptions in Apollo Client, urql and Relay, over both transports. The clients are those
// that the documentation of the libraries describes. All connect through a proxy, which counts
// the connections and breaks them.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import test from "node:test";
import { setTimeout } from "node:timers/promises";
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache, Observable } from "@apollo/client";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { cacheExchange, Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { OperationTypeNode, print } from "graphql";
import { createClient as createSSEClient } from "graphql-sse";
import { createClient as createWSClient } from "graphql-ws";
import relay from "relay-runtime";
import WebSocket from "ws";
import { ask, possibleTypes, recorder, until, url } from "./funnelgraph.mjs";
import { artifact } from "./relay.mjs";

globalThis.WebSocket ??= WebSocket; // as in browsers; newer versions of Node.js have it as well

const workspaceId = "103";

const EVENTS = gql`
  subscription Events($workspaceId: ID!, $types: [EventType!]) {
    events(workspaceId: $workspaceId, types: $types) {
      id
      type
      subject {
        ... on Contact {
          id
          firstName
          emailAddress
        }
      }
    }
  }
`;

/** Sends an operation by a plain request, and fails if there are errors. */
async function send(query, variables) {
  const { data, errors } = await ask(query, variables);
  assert.equal(errors, undefined);
  return data;
}

const emailAddress = `subscriptions.${Date.now()}@example.com`;
const { createContact } = await send("mutation($input: CreateContactInput!) { createContact(input: $input) { contact { id } } }", { input: { workspaceId, emailAddress } });
const { id } = createContact.contact;

const rename = (firstName) => send("mutation($input: UpdateContactInput!) { updateContact(input: $input) { contact { id } } }", { input: { id, firstName } });

/** Starts a proxy to the server. It does not count connections without a request, which fetch keeps for later. */
async function startProxy(t) {
  const { hostname, port } = new URL(url);
  const sockets = new Set();
  let used = 0;
  const server = createServer((near) => {
    sockets.add(near);
    near.once("data", () => used++);
    const far = connect(port, hostname);
    near.on("error", () => {}).on("close", () => sockets.delete(near) && far.destroy());
    far.on("error", () => {}).on("close", () => near.destroy());
    near.pipe(far).pipe(near);
  });
  const proxy = {
    used: () => used,
    open: () => [...sockets].filter(({ bytesRead }) => bytesRead > 0).length,
    breakAll: () => sockets.forEach((socket) => socket.destroy()),
  };
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => {
    server.close();
    proxy.breakAll();
  });
  proxy.url = new URL(url);
  proxy.url.port = server.address().port;
  return proxy;
}

const soon = () => setTimeout(50); // instead of seconds

const transports = {
  "graphql-sse": (url, on) => createSSEClient({ url: String(url), retry: soon, on }),
  "graphql-ws": (url, on) => createWSClient({ url: String(url).replace("http", "ws"), retryWait: soon, on }),
};

/** Connects a client of a transport, and counts the results that it receives. */
async function connectBy(t, transport) {
  const proxy = await startProxy(t);
  let results = 0;
  const client = transports[transport](proxy.url, {
    message({ event, type }) {
      if ((event ?? type) === "next") results++;
    },
  });
  t.after(() => client.dispose());
  return { proxy, client, results: () => results };
}

/** Sends operations of Apollo Client by graphql-sse, as the recipes of graphql-sse do. */
class SSELink extends ApolloLink {
  constructor(client) {
    super();
    this.client = client;
  }

  request(operation) {
    return new Observable((sink) =>
      this.client.subscribe(
        { ...operation, query: print(operation.query) },
        { next: sink.next.bind(sink), complete: sink.complete.bind(sink), error: sink.error.bind(sink) },
      ),
    );
  }
}

function newApolloClient(client, transport, http = new HttpLink({ uri: url })) {
  const live = transport === "graphql-ws" ? new GraphQLWsLink(client) : new SSELink(client);
  return new ApolloClient({
    cache: new InMemoryCache({ possibleTypes }),
    link: ApolloLink.split(({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION, live, http),
  });
}

// Each library subscribes, hands data and GraphQL errors on, and returns a function that
// unsubscribes.
const libraries = {
  "Apollo Client"(client, transport, variables, { next, fail }) {
    const subscription = newApolloClient(client, transport)
      .subscribe({ query: EVENTS, variables })
      .subscribe({ next: ({ data, error }) => (error ? fail(error.errors ?? [error]) : next(data)) });
    return () => subscription.unsubscribe();
  },

  urql(client, _, variables, { next, fail }) {
    const exchange = subscriptionExchange({
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: client.subscribe({ ...request, query: request.query || "" }, sink) }),
      }),
    });
    const { unsubscribe } = new Client({ url, exchanges: [cacheExchange, fetchExchange, exchange], preferGetMethod: false })
      .subscription(EVENTS, variables)
      .subscribe(({ data, error }) => (error ? fail(error.networkError ? [error] : error.graphQLErrors) : next(data)));
    return unsubscribe;
  },

  Relay(client, _, variables, { next, fail }) {
    const fetchOrSubscribe = ({ name, text }, variables) =>
      relay.Observable.create((sink) => client.subscribe({ operationName: name, query: text, variables }, sink));
    const environment = new relay.Environment({
      network: relay.Network.create(fetchOrSubscribe, fetchOrSubscribe),
      store: new relay.Store(new relay.RecordSource()),
    });
    const { dispose } = relay.requestSubscription(environment, {
      subscription: artifact("EventsSubscription"),
      variables,
      onNext: next,
      onError: (error) => fail(error.source?.errors ?? [error].flat()), // graphql-ws hands on a list
    });
    return dispose;
  },
};

/** Subscribes with a library, and keeps the events and the errors of the last result with errors. */
function subscribe(library, client, transport, variables) {
  const subscription = { events: [], errors: [] };
  subscription.stop = libraries[library](client, transport, variables, {
    next: (data) => subscription.events.push(data.events),
    fail: (errors) => (subscription.errors = errors),
  });
  return subscription;
}

/** Renames the contact until there are events: a subscription begins some time after its request. */
async function begun(...subscriptions) {
  const counts = subscriptions.map(({ events }) => events.length);
  for (let n = 0; subscriptions.some(({ events }, i) => events.length === counts[i]); n++) {
    assert.ok(n < 50, "want events");
    await rename(`Name ${n}`);
    await setTimeout(100);
  }
}

for (const transport of Object.keys(transports)) {
  for (const library of Object.keys(libraries)) {
    test(`${library} gets events over ${transport} until it unsubscribes`, async (t) => {
      const { proxy, client, results } = await connectBy(t, transport);
      const one = subscribe(library, client, transport, { workspaceId, types: ["CONTACT_UPDATED"] });
      const other = subscribe(library, client, transport, { workspaceId, types: ["CONTACT_UPDATED", "CONTACT_CREATED"] });
      await begun(one, other);
      await rename("Grace");
      await until(() => [one, other].every(({ events }) => events.at(-1).subject.firstName === "Grace"));
      for (const { id: event, type, subject } of [one.events.at(-1), other.events.at(-1)]) {
        assert.ok(event);
        assert.equal(type, "contact.updated");
        assert.equal(subject.id, id);
        assert.equal(subject.emailAddress, emailAddress);
      }
      assert.equal(proxy.open(), transport === "graphql-ws" ? 1 : 2);

      one.stop();
      await until(() => proxy.open() === 1);
      await setTimeout(300); // until the server has read it
      const before = { one: one.events.length, other: other.events.length, results: results() };
      await rename("Lin");
      await until(() => other.events.length > before.other);
      await setTimeout(100); // in which a result for the other subscription would arrive
      assert.equal(one.events.length, before.one);
      assert.equal(results() - before.results, other.events.length - before.other, "want no results for a subscription that has ended");

      other.stop();
      await until(() => proxy.open() === 0);
      assert.deepEqual([...one.errors, ...other.errors], []);
    });

    test(`${library} gets an error over ${transport}`, async (t) => {
      const { client } = await connectBy(t, transport);
      const subscription = subscribe(library, client, transport, { workspaceId: "999" });
      await until(() => subscription.errors.length > 0);
      assert.deepEqual(subscription.errors.map(({ path, extensions }) => [path, extensions.code]), [[["events"], "NOT_FOUND"]]);
      assert.deepEqual(subscription.events, []);
    });

    test(`${library} gets events over ${transport} again after a lost connection`, async (t) => {
      const { proxy, client } = await connectBy(t, transport);
      const subscription = subscribe(library, client, transport, { workspaceId });
      await begun(subscription);
      proxy.breakAll();
      await begun(subscription);
      assert.equal(proxy.used(), 2);
      assert.deepEqual(subscription.errors, []);
      subscription.stop();
      await until(() => proxy.open() === 0);
    });
  }

  test(`an event over ${transport} updates a query of Apollo Client`, async (t) => {
    const { client } = await connectBy(t, transport);
    const { fetch, requests } = recorder();
    const apollo = newApolloClient(client, transport, new HttpLink({ uri: url, fetch }));
    const query = gql`
      query Contact($id: ID!) {
        contact(id: $id) {
          id
          firstName
        }
      }
    `;
    let shown;
    const watched = apollo.watchQuery({ query, variables: { id } }).subscribe(({ data }) => (shown = data?.contact?.firstName));
    await until(() => shown);
    const events = [];
    const subscribed = apollo.subscribe({ query: EVENTS, variables: { workspaceId } }).subscribe(({ data }) => events.push(data.events));
    await begun({ events });
    await rename("Edsger");
    await until(() => shown === "Edsger");
    assert.equal(requests.length, 1);
    subscribed.unsubscribe();
    watched.unsubscribe();
  });
}

/** Returns all results of an operation over graphql-ws. */
async function all(t, request) {
  const client = createWSClient({ url: url.replace("http", "ws"), retryAttempts: 0 });
  t.after(() => client.dispose());
  const results = [];
  for await (const { data, errors, incremental, hasNext } of client.iterate(request)) results.push({ data, errors, incremental, hasNext });
  return results;
}

test("graphql-ws gets one result of a query", async (t) => {
  const results = await all(t, { query: "query($id: ID!) { workspace(id: $id) { name } }", variables: { id: "101" } });
  assert.equal(results.length, 1);
  assert.deepEqual(results[0].data, { workspace: { name: "Acme Academy" } });
});

test("graphql-ws sends a mutation", async (t) => {
  const query = "mutation($input: UpdateContactInput!) { updateContact(input: $input) { contact { firstName } } }";
  const results = await all(t, { query, variables: { input: { id, firstName: "Barbara" } } });
  assert.deepEqual(results.map(({ data }) => data), [{ updateContact: { contact: { firstName: "Barbara" } } }]);
});

test("graphql-ws gets deferred fragments as further results", async (t) => {
  const [first, second, ...more] = await all(t, { query: '{ workspace(id: "101") { name ... @defer(label: "contacts") { contacts(first: 2) { nodes { emailAddress } } } } }' });
  assert.deepEqual(first.data, { workspace: { name: "Acme Academy" } });
  assert.equal(first.hasNext, true);
  assert.equal(second.hasNext, false);
  const [part] = second.incremental;
  assert.equal(part.label, "contacts");
  assert.deepEqual(part.path, ["workspace"]);
  assert.equal(part.data.contacts.nodes.length, 2);
  assert.deepEqual(more, []);
});

test("graphql-ws gets a failed field as null with an error", async (t) => {
  const [{ data, errors }] = await all(t, { query: '{ workspace(id: "999") { name } }' });
  assert.deepEqual(data, { workspace: null });
  assert.equal(errors[0].extensions.code, "NOT_FOUND");
});

test("graphql-ws fails an invalid query with its errors", async (t) => {
  await assert.rejects(all(t, { query: "{ nothing }" }), ([error, ...more]) => {
    assert.match(error.message, /Cannot query field "nothing"/);
    assert.deepEqual(more, []);
    return true;
  });
});
