// This module sends operations, and shows the status, time, size and REST calls of their answers.
import { account, credential, endpoint, load } from './account.js';
import { confirmed } from './dialog.js';
import { filledVariables } from './examples.js';
import { h, makeStore } from './store.js';
import { tabNow } from './tabs.js';

const { parse } = GraphiQL.GraphQL;

// answers holds the facts of each tab's last answer, by the tab's id.
const answers = makeStore({});
const latest = {}; // the facts of each tab's last operation, so that a stopped one shows none
export function useAnswer() {
  const { tabs, activeTabIndex } = GraphiQL.React.useEditorContext();
  return answers.use()[tabs[activeTabIndex].id];
}

export async function fetcher(params, options) {
  const authorized = Object.keys(options?.headers ?? {}).some((name) => /^authorization$/i.test(name)); // in the headers editor
  const headers = authorized ? {} : credential();
  const operation = operationOf(params);
  if (operation.operation === 'query' && operation.name?.value === 'IntrospectionQuery') {
    return GraphiQL.createFetcher({ url: endpoint, headers: { ...headers, 'X-Funnelgraph-Explain': '0' } })(params, options);
  }
  const { id } = tabNow();
  const facts = { bytes: 0, errors: 0 };
  latest[id] = facts;
  const show = (answer) => latest[id] === facts && answers.set({ ...answers.get(), [id]: answer });
  show(undefined);
  const variables = await filledVariables(params.variables);
  if (operation.operation === 'mutation' && !(await confirmed(...question(operation, authorized)))) return { notSent: 'The mutation was cancelled before it was sent.' };
  const began = performance.now();
  const stopped = new AbortController();
  const request = { ...params, variables, operationName: operation.name?.value };
  const send = async (url, init) => measured(await fetch(url, { ...init, ...(operation.operation !== 'mutation' && { signal: stopped.signal }) }), facts);
  const update = () => stopped.signal.aborted || show({ ...facts, ms: performance.now() - began });
  const live = (state) => {
    facts.live = state;
    update();
  };
  const results =
    operation.operation === 'subscription'
      ? events(send, request, { ...headers, ...options?.headers }, stopped.signal, live)
      : await GraphiQL.createFetcher({ url: endpoint, headers: { ...headers, 'X-Funnelgraph-Explain': '1' }, fetch: send })(request, options);
  const parts = watched(results, facts, update);
  // GraphiQL stops an operation by return(), which a generator takes only between its parts.
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const part = await parts.next();
        return stopped.signal.aborted ? { done: true } : part;
      },
      return: async () => {
        if (facts.live) live();
        stopped.abort();
        return { done: true };
      },
    }),
  };
}

// events reads the events of a subscription: GraphiQL's own fetcher needs a WebSocket for them. It
// connects again when the connection breaks, and goes on after the last event.
async function* events(send, request, headers, signal, live) {
  const body = JSON.stringify(request);
  const sent = new Headers({ 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers });
  const seen = new Set(); // the server can repeat events
  for (let wait = firstWait, complete = false; ; ) {
    const began = performance.now();
    const response = await send(endpoint, { method: 'POST', headers: sent, body }).catch(() => null); // no network
    if (response && !passing.includes(response.status)) {
      if (!response.headers.get('Content-Type')?.startsWith('text/event-stream')) { // refused before the stream began
        yield await response.json();
        return live();
      }
      live('Live');
      for await (const event of eventsOf(response.body)) {
        const [id, name, data] = ['id', 'event', 'data'].map((field) => event.match(new RegExp(`^${field}: (.+)$`, 'm'))?.[1]);
        complete ||= name === 'complete';
        if (!data || seen.has(id)) continue;
        if (id) {
          seen.add(id);
          sent.set('Last-Event-ID', id);
        }
        const result = JSON.parse(data);
        if (!result.data && result.errors?.every(({ extensions }) => passingCodes.includes(extensions?.code))) {
          complete = false;
          break;
        }
        yield result;
      }
    }
    if (complete || signal.aborted) return live();
    live('Reconnecting…');
    if (performance.now() - began > longestWait) wait = firstWait; // the connection had been stable
    await pause(wait * (0.75 + Math.random() / 2), signal);
    wait = Math.min(2 * wait, longestWait);
  }
}

// passing are the statuses of refusals that may pass, and passingCodes the codes of their errors.
const passing = [429, 502, 503, 504];
const passingCodes = ['RATE_LIMITED', 'UPSTREAM_TIMEOUT', 'UPSTREAM_UNAVAILABLE'];
const [firstWait, longestWait] = [1000, 30000]; // milliseconds

// pause waits for a time. It ends early when the browser is online again, and when the signal aborts.
const pause = (time, signal) =>
  new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      over.abort();
      resolve();
    };
    setTimeout(end, time);
    addEventListener('online', end, { signal: over.signal });
    signal.addEventListener('abort', end, { signal: over.signal });
  });

async function* eventsOf(stream) { // Safari cannot iterate over streams
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  const read = () => reader.read().catch(() => ({ done: true })); // the connection broke
  let text = '';
  for (let part = await read(); !part.done; part = await read()) {
    const all = (text + part.value).split('\n\n');
    text = all.pop();
    yield* all;
  }
}

// operationOf returns the operation of the request. GraphiQL notices edits late, so it may still
// name an operation of an earlier document. A document with mistakes may be a mutation.
function operationOf({ query, operationName }) {
  try {
    const operations = parse(query).definitions.filter(({ kind }) => kind === 'OperationDefinition');
    return operations.find(({ name }) => name?.value === operationName) ?? operations[0] ?? {};
  } catch {
    return /\bmutation\b/.test(query) ? { operation: 'mutation' } : {};
  }
}

function question({ name, selectionSet }, authorized) {
  const fields = selectionSet?.selections.map((selection) => selection.name?.value).filter(Boolean).join(', ');
  return ['Run this mutation?', `${name?.value ?? 'It'} changes data. Account: ${authorized ? 'the one of the Headers' : account.get().title}. Fields: ${fields || 'unknown'}.`, 'Run'];
}

// measured returns a response that counts its bytes, without their compression, as they arrive.
function measured(response, facts) {
  facts.status = response.status;
  const count = new TransformStream({
    transform(chunk, out) {
      facts.bytes += chunk.length;
      out.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(count), { status: response.status, headers: response.headers });
}

// watched passes the results on without their explanation, which the page shows elsewhere. The
// last part of an answer in parts has it.
async function* watched(results, facts, show) {
  try {
    for await (const result of results) {
      const parts = [result].flat();
      parts.forEach((part) => {
        facts.calls = part.extensions?.funnelgraph;
        if (part.extensions) delete part.extensions.funnelgraph;
        if (part.extensions && Object.keys(part.extensions).length === 0) delete part.extensions;
        const errors = [part, ...(part.incremental ?? [])].flatMap(({ errors = [] }) => errors);
        facts.errors += errors.length;
        if (account.get().state === 'session' && errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED')) load(); // it has ended
        facts.more = part.hasNext ?? false;
      });
      show();
      yield result;
    }
  } catch (failure) { // no network, or no JSON
    Object.assign(facts, { errors: facts.errors + 1, more: false, live: undefined });
    show();
    yield { errors: [{ message: `The answer could not be read: ${failure.message}` }] };
  }
}

const ms = (n) => (n < 10 ? `${n.toFixed(1)} ms` : n < 10000 ? `${Math.round(n)} ms` : `${(n / 1000).toFixed(1)} s`);
const size = (n) => (n < 1000 ? `${n} B` : n < 1e6 ? `${(n / 1000).toFixed(1)} kB` : `${(n / 1e6).toFixed(1)} MB`);

// AnswerFacts is the line below the answer.
export function AnswerFacts() {
  const answer = useAnswer();
  if (!answer) return h('div', { className: 'facts', role: 'status' }, 'No answer yet');
  const { status, errors, more, bytes, live } = answer;
  return h(
    'div',
    { className: 'facts', role: 'status' },
    h('span', { className: status < 400 ? 'status' : 'status failed' }, status ? `Status ${status}` : 'No status'),
    errors > 0 && h('span', { className: 'failed' }, errors === 1 ? '1 error' : `${errors} errors`),
    h('span', null, ms(answer.ms)),
    h('span', null, size(bytes)),
    more && h('span', null, 'more to come'),
    live && h('span', null, live),
  );
}
