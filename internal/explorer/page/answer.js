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
  const results =
    operation.operation === 'subscription'
      ? events(send, request, { ...headers, ...options?.headers })
      : await GraphiQL.createFetcher({ url: endpoint, headers: { ...headers, 'X-Funnelgraph-Explain': '1' }, fetch: send })(request, options);
  const parts = watched(results, facts, () => stopped.signal.aborted || show({ ...facts, ms: performance.now() - began }));
  // GraphiQL stops an operation by return(), which a generator takes only between its parts.
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        const part = await parts.next();
        return stopped.signal.aborted ? { done: true } : part;
      },
      return: async () => {
        stopped.abort();
        return { done: true };
      },
    }),
  };
}

// events reads the events of a subscription: GraphiQL's own fetcher needs a WebSocket for them.
async function* events(send, request, headers) {
  const response = await send(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers },
    body: JSON.stringify(request),
  });
  let text = '';
  for await (const chunk of chunksOf(response.body.pipeThrough(new TextDecoderStream()))) {
    const all = (text + chunk).split('\n\n');
    text = all.pop();
    for (const event of all) {
      const data = event.match(/^data: (.+)$/m);
      if (data) yield JSON.parse(data[1]);
    }
  }
  if (text.trim().startsWith('{')) yield JSON.parse(text); // refused before the stream began
}

async function* chunksOf(stream) { // Safari cannot iterate over streams
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
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
    Object.assign(facts, { errors: facts.errors + 1, more: false });
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
  const { status, errors, more, bytes } = answer;
  return h(
    'div',
    { className: 'facts', role: 'status' },
    h('span', { className: status < 400 ? 'status' : 'status failed' }, status ? `Status ${status}` : 'No status'),
    errors > 0 && h('span', { className: 'failed' }, errors === 1 ? '1 error' : `${errors} errors`),
    h('span', null, ms(answer.ms)),
    h('span', null, size(bytes)),
    more && h('span', null, 'more to come'),
  );
}
