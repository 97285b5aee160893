// How the page sends an operation, and what it says about the answer: its status, time and size,
// and the REST calls behind it.
import { account, credential, endpoint, load } from './account.js';
import { confirmed } from './dialog.js';
import { filledVariables } from './examples.js';
import { h, makeStore } from './store.js';
import { tabNow } from './tabs.js';

const { parse } = GraphiQL.GraphQL;

// answers holds the facts of each tab's last answer, by the tab's id.
const answers = makeStore({});
export function useAnswer() {
  const { tabs, activeTabIndex } = GraphiQL.React.useEditorContext();
  return answers.use()[tabs[activeTabIndex].id];
}

export async function fetcher(params, options) {
  const authorized = Object.keys(options?.headers ?? {}).some((name) => /^authorization$/i.test(name)); // in the headers editor
  const headers = authorized ? {} : credential();
  if (params.operationName === 'IntrospectionQuery') {
    return GraphiQL.createFetcher({ url: endpoint, headers: { ...headers, 'X-Funnelgraph-Explain': '0' } })(params, options);
  }
  const variables = await filledVariables(params.variables);
  const operation = operationOf(params);
  if (operation.operation === 'mutation' && !(await confirmed(...question(operation)))) return { notSent: 'The mutation was cancelled before it was sent.' };
  const { id } = tabNow();
  const began = performance.now();
  const facts = { bytes: 0, errors: 0 };
  const show = (answer) => answers.set({ ...answers.get(), [id]: answer });
  show(undefined);
  const results = await GraphiQL.createFetcher({
    url: endpoint,
    headers: { ...headers, 'X-Funnelgraph-Explain': '1' },
    fetch: async (url, init) => measured(await fetch(url, init), facts),
  })({ ...params, variables, operationName: operation.name?.value }, options);
  return watched(results, facts, () => show({ ...facts, ms: performance.now() - began }));
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

function question({ name, selectionSet }) {
  const fields = selectionSet?.selections.map((selection) => selection.name?.value).filter(Boolean).join(', ');
  return ['Run this mutation?', `${name?.value ?? 'It'} changes data. Account: ${account.get().title}. Fields: ${fields || 'unknown'}.`, 'Run'];
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
    h('span', { className: status < 400 ? 'status' : 'status failed' }, `Status ${status}`),
    errors > 0 && h('span', { className: 'failed' }, errors === 1 ? '1 error' : `${errors} errors`),
    h('span', null, ms(answer.ms)),
    h('span', null, size(bytes)),
    more && h('span', null, 'more to come'),
  );
}
