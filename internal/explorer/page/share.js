// This module copies the operation of the active tab as a curl command, as JavaScript, or as a link
// that opens it. None of them has a credential.
import { endpoint } from './account.js';
import { h, makeStore, svg } from './store.js';
import { editors, newTab } from './tabs.js';

const { ToolbarMenu } = GraphiQL.React;
const secret = /^(authorization|cookie)$/i;

function request() {
  const { queryEditor, variableEditor, headerEditor } = editors();
  const query = queryEditor.getValue();
  return {
    query,
    variables: parsed(variableEditor.getValue()),
    ...(queryEditor.operations?.length > 1 && { operationName: queryEditor.operationName }),
    headers: {
      'Content-Type': 'application/json',
      ...(/@defer\b/.test(query) && { Accept: 'multipart/mixed, application/json' }),
      ...Object.fromEntries(Object.entries(parsed(headerEditor?.getValue()) ?? {}).filter(([name]) => !secret.test(name))),
    },
  };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // empty, or not JSON yet
  }
}

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function asCurl() {
  const { headers, ...body } = request();
  const lines = [`curl ${quoted(endpoint)}`, '-H "Authorization: Bearer $TOKEN"'];
  lines.push(...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`), `--data-raw ${quoted(JSON.stringify(body))}`);
  return lines.join(' \\\n  ');
}

function asFetch() {
  const { headers, ...body } = request();
  const all = JSON.stringify(headers, null, 4).replace('{', '{\n    Authorization: `Bearer ${token}`,').replace(/}$/, '  }');
  return `const response = await fetch(${JSON.stringify(endpoint)}, {
  method: 'POST',
  headers: ${all},
  body: JSON.stringify(${JSON.stringify(body, null, 2).replace(/\n/g, '\n  ')}),
});
const answer = await response.${headers.Accept ? 'text' : 'json'}();
`;
}

// asLink puts the operation into the fragment, which browsers do not send to servers.
function asLink() {
  const { queryEditor, variableEditor } = editors();
  const fragment = new URLSearchParams({ query: queryEditor.getValue(), variables: variableEditor.getValue() });
  return `${location.origin}${location.pathname}#${fragment}`;
}

// openLink opens the operation of the page's address, if it has one, and never runs it.
export function openLink() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (!fragment.get('query')) return;
  history.replaceState(null, '', location.pathname + location.search);
  newTab(fragment.get('query'), fragment.get('variables') ?? '');
}

const notice = makeStore('');

async function copy(what, text) {
  try {
    await navigator.clipboard.writeText(text);
    notice.set(`Copied as ${what}`);
  } catch { // pages on http have no clipboard, except on this machine
    window.prompt(`Copy as ${what}`, text);
  }
  setTimeout(() => notice.set(''), 2000);
}

export function Copied() {
  const text = notice.use();
  return h('div', { className: text ? 'copied shown' : 'copied', role: 'status' }, text);
}

const icon = svg('M12 15V3m-4 4 4-4 4 4M5 12v9h14v-9', { className: 'graphiql-toolbar-icon', strokeWidth: 2 });

export function CopyAs() {
  const item = (what, make) => h(ToolbarMenu.Item, { onSelect: () => copy(what, make()) }, what);
  return h(ToolbarMenu, { label: 'Copy as', button: icon }, item('curl', asCurl), item('fetch', asFetch), item('link', asLink));
}
