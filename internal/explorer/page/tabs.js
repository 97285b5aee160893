// This module reads, opens and stores GraphiQL's tabs.
import { h, makeStore } from './store.js';

// GraphiQL keeps headers out of its tabs, and writes them into its history all the same. All
// stored values go through this wrapper, and so do the values that an earlier page has stored.
const prefix = 'graphiql:';
const localStorage = available() ?? { getItem: () => null, setItem() {}, removeItem() {} };
const withHeaders = ['tabState', 'queries', 'favorites'].map((name) => prefix + name);
const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
export const storage = {
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => {
    if (withHeaders.includes(key)) value = withoutHeaders(value);
    if (key !== prefix + 'headers') localStorage.setItem(key, value);
  },
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => keys().forEach((key) => localStorage.removeItem(key)),
  get length() {
    return keys().length;
  },
};

// available returns the browser's storage, null if the person has blocked it.
function available() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

function withoutHeaders(value) {
  try {
    return JSON.stringify(JSON.parse(value, (key, inner) => (key === 'headers' ? null : inner)));
  } catch {
    return ''; // which GraphiQL takes for nothing
  }
}

export function cleanStorage() {
  localStorage.removeItem(prefix + 'headers');
  keys().forEach((key) => storage.setItem(key, localStorage.getItem(key)));
}

let editor; // GraphiQL's tabs and editors
export const editors = () => editor;
export const tabNow = () => editor.tabs[editor.activeTabIndex];
export const narrowerThan = (pixels) => matchMedia(`(max-width: ${pixels - 1}px)`).matches;

// isFirstVisit must be read before GraphiQL stores its tabs.
export const isFirstVisit = storage.getItem(prefix + 'tabState') === null;

// shown is the active tab, once its editors exist.
export const shown = makeStore(null);

// TabWatch renders nothing. It gives the page GraphiQL's editors.
export function TabWatch() {
  editor = GraphiQL.React.useEditorContext();
  const { stop } = GraphiQL.React.useExecutionContext();
  const { id, title, query } = tabNow();
  const ready = Boolean(editor.queryEditor && editor.variableEditor);
  React.useEffect(() => {
    if (!ready) return;
    if (added && added.after !== id) {
      fillTab(added.query, added.variables);
      added = null;
    }
    shown.set(tabNow());
  }, [id, query, ready]);
  React.useEffect(() => {
    stop(); // a running operation belongs to the tab before
  }, [id]);
  React.useEffect(() => {
    document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [id, title]);
  React.useEffect(hintAtMoreTabs, [editor.tabs.length, title]);
  return null;
}

// hintAtMoreTabs marks the sides on which tabs are out of sight. The style sheet fades them.
function hintAtMoreTabs() {
  const list = document.querySelector('.graphiql-tabs');
  const mark = () => {
    list.classList.toggle('more-before', list.scrollLeft > 4);
    list.classList.toggle('more-after', list.scrollLeft + list.clientWidth < list.scrollWidth - 4);
  };
  const sizes = new ResizeObserver(mark);
  list.addEventListener('scroll', mark);
  sizes.observe(list);
  mark();
  return () => {
    list.removeEventListener('scroll', mark);
    sizes.disconnect();
  };
}

// settled resolves when React has rendered what it was about to. GraphiQL writes to its editors while
// it computes its tabs, and React computes them again if an urgent change overtakes another one. So
// the page changes tabs and editors only in tasks of their own.
export const settled = () => new Promise((resolve) => setTimeout(resolve));

// openTab shows a query in the tab that has it already, or else in a new one.
export async function openTab(query, variables) {
  await settled();
  const present = editor.tabs.findIndex((tab) => tab.query === query);
  if (present === editor.activeTabIndex) return;
  if (present >= 0) {
    editor.changeTab(present);
    return;
  }
  addTab(query, variables);
}

export async function newTab(query, variables) {
  await settled();
  addTab(query, variables);
}

// addTab adds a tab. TabWatch fills it when it is there.
let added = null;
function addTab(query, variables) {
  if (added) return; // another one is on its way
  added = { query, variables, after: tabNow().id };
  editor.addTab();
}

// fillTab puts a query and its variables into the active tab, and opens the variables if there
// are some. GraphiQL opens them only through its own button.
export function fillTab(query, variables) {
  const { queryEditor } = editor;
  if (queryEditor.getValue() !== query) {
    queryEditor.operationName = queryEditor.operations = null; // GraphiQL finds them a moment later
    queryEditor.setValue(query);
  }
  editor.variableEditor.setValue(variables);
  editor.updateActiveTabValues({ query, variables, operationName: queryEditor.operationName });
  if (variables) document.querySelector('.graphiql-editor-tools button[data-name=variables]').click();
}

// ClosePanel closes the open panel by one tap where panels cover the editors.
export function ClosePanel() {
  const { visiblePlugin, setVisiblePlugin } = GraphiQL.React.usePluginStore();
  React.useEffect(() => {
    document.querySelector('.graphiql-plugin').scrollTop = 0; // all panels share one element
  }, [visiblePlugin]);
  if (!visiblePlugin) return null;
  return h(
    'button',
    { type: 'button', className: 'close-panel', 'aria-label': `Close ${visiblePlugin.title}`, onClick: () => setVisiblePlugin(null) },
    h(GraphiQL.React.CloseIcon),
  );
}
