// This module opens examples, and fills in the ids of the caller's own records.
import { account, ask, loaded } from './account.js';
import { h, svg } from './store.js';
import { editors, fillTab, narrowerThan, openTab, settled, shown, storage, tabNow } from './tabs.js';

// finders find a record of each type in the caller's first workspace. Variables for ids are named
// after the types.
const finders = {
  workspace: (workspace) => workspace,
  team: (workspace) => workspace.team,
  contact: (workspace) => first(workspace, 'contacts'),
  tag: (workspace) => first(workspace, 'contactTags'),
};

async function first(workspace, list) {
  const { data } = await ask(`query First($id: ID!) { workspace(id: $id) { ${list}(first: 1) { nodes { id rawId } } } }`, { id: workspace.id });
  return data?.workspace?.[list]?.nodes[0];
}

export const examples = JSON.parse(document.getElementById('examples').textContent).map((example) => {
  const [{ name, operation, variableDefinitions }] = GraphiQL.GraphQL.parse(example.query).definitions;
  const comment = example.query.match(/^(#.*\n)+/)[0].replace(/^# ?/gm, '').replace(/\n/g, ' ').trim();
  const ids = variableDefinitions.map(({ variable }) => variable.name.value).filter((id) => id in finders);
  return { ...example, title: name.value, comment, writes: operation === 'mutation', ids };
});
const named = (name) => examples.find((example) => example.name === name);
export const opening = named('1-nested');
const openingOfOne = named('1a-workspace');

// found holds what the finders have found for the account of one turn.
let found = { turn: 0 };
function find(type) {
  const { turn, workspaces } = account.get();
  if (found.turn !== turn) found = { turn };
  found[type] ??= Promise.resolve(workspaces[0] && finders[type](workspaces[0])).catch(() => undefined);
  return found[type];
}

// filled holds the variables that the page has filled in, by tab. It replaces only these and the
// values of the demo, never a person's own.
const filledKey = 'graphiql:filled'; // GraphiQL's setting to clear its data clears it too
const filled = () => {
  try {
    return JSON.parse(storage.getItem(filledKey) ?? '{}');
  } catch {
    return {};
  }
};
function remember(tab, text) {
  const kept = Object.entries(filled()).filter(([id]) => editors().tabs.some((other) => other.id === id));
  storage.setItem(filledKey, JSON.stringify({ ...Object.fromEntries(kept), [tab.id]: text }));
}

// fill puts ids of the caller's records into the variables of the example in the active tab. It
// does so when the tab is shown and when the account changes.
const exampleOf = (tab) => examples.find(({ query, ids }) => query === tab.query && ids.length > 0);
let filling = Promise.resolve();
function fill() {
  filling = filling.then(settled).then(fillNow).catch(console.error);
}

// needsOneWorkspace reports whether the first query, which begins with teams, shows nothing or much
// less than the caller's workspace.
const needsOneWorkspace = (workspaces) => workspaces.length === 1 || (workspaces.length > 1 && workspaces.every(({ team }) => !team));

async function fillNow() {
  await loaded();
  const { turn, workspaces } = account.get();
  if (needsOneWorkspace(workspaces) && editors().tabs.length === 1 && tabNow().query === opening.query) {
    fillTab(openingOfOne.query, openingOfOne.variables); // which shows another query, and fill follows
    return;
  }
  const tab = tabNow();
  const example = exampleOf(tab);
  const own = tab.variables?.trim() && ![example?.variables, filled()[tab.id]].some((text) => sameJSON(text, tab.variables));
  if (!example || own) return;
  const records = await Promise.all(example.ids.map(find));
  if (tabNow().id !== tab.id || account.get().turn !== turn) return; // another fill follows
  const { queryEditor, variableEditor } = editors();
  if (queryEditor.getValue() !== tab.query || variableEditor.getValue() !== (tab.variables ?? '')) return; // edited since
  const values = JSON.parse(example.variables);
  const missing = [];
  example.ids.forEach((type, i) => {
    // The form of the demo's value tells whether the example needs a global id.
    values[type] = records[i]?.[/^\d+$/.test(values[type]) ? 'rawId' : 'id'] ?? null;
    if (!records[i]) missing.push(type);
  });
  const text = JSON.stringify(values, null, 2);
  if (missing.length > 0 || !sameJSON(text, tab.variables)) fillTab(tab.query, text);
  remember(tab, text);
  missing.forEach(noteMissing);
}

function sameJSON(a, b) {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b));
  } catch {
    return false;
  }
}

// noteMissing says below a variable in the editor why it has no value.
function noteMissing(type) {
  const { workspaces } = account.get();
  const editor = editors().variableEditor;
  const line = editor.getValue().split('\n').findIndex((text) => text.includes(`"${type}": null`));
  const note = document.createElement('div');
  note.className = 'missing';
  note.textContent = workspaces[0]
    ? `${workspaces[0].name} has no ${type} that this account may see. Enter the id of one.`
    : 'The page fills it in when there is an account with a workspace.';
  editor.addLineWidget(line, note);
}

// filledVariables returns the variables to run with: as GraphiQL read them, or as filled since.
export async function filledVariables(variables) {
  if (!exampleOf(tabNow())) return variables;
  const { id } = tabNow();
  const before = editors().variableEditor.getValue();
  await filling;
  if (tabNow().id !== id) return variables;
  const now = editors().variableEditor.getValue();
  return now === before ? variables : JSON.parse(now);
}

export function startFilling() {
  fill();
  account.subscribe(fill);
  shown.subscribe(fill);
}

function Examples() {
  const { setVisiblePlugin } = GraphiQL.React.usePluginStore();
  const open = ({ query, variables }) => {
    openTab(query, variables);
    if (narrowerThan(1000)) setVisiblePlugin(null);
  };
  return h(
    'section',
    { className: 'examples' },
    h('h2', { className: 'graphiql-doc-explorer-title' }, 'Examples'),
    h('p', null, 'They run with the first records of your first workspace.'),
    h('ul', null, examples.map((example) => h('li', { key: example.name }, h(Entry, { example, open })))),
  );
}

function Entry({ example, open }) {
  return h(
    'button',
    { type: 'button', onClick: () => open(example) },
    h('strong', null, example.title),
    example.writes && h('span', { className: 'writes' }, 'writes'),
    h('span', { className: 'comment' }, example.comment.replace(/^Writes: /, '')),
  );
}

const icon = () => svg('M12 6c-2-1.3-5-2-9-2v14c4 0 7 .7 9 2 2-1.3 5-2 9-2V4c-4 0-7 .7-9 2zm0 0v14');

export const plugin = { title: 'Examples', icon, content: Examples };
