'use strict';

// The first visit opens a tab for each example; GraphiQL keeps the tabs itself
// afterwards. Headers are never stored: a token that is typed into the headers
// editor is gone with the page.
const root = document.getElementById('graphiql');
const examples = JSON.parse(document.getElementById('examples').textContent);
const headers = JSON.stringify({ Authorization: 'Bearer ' }, null, 2);

// GraphiQL keeps headers out of its tabs, and writes them into its history all the
// same. What it stores goes through here, and so does what an earlier page has stored.
const prefix = 'graphiql:';
const withHeaders = ['tabState', 'queries', 'favorites'].map((name) => prefix + name);
const keys = () => Object.keys(localStorage).filter((key) => key.startsWith(prefix));
const storage = {
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

function withoutHeaders(value) {
  try {
    return JSON.stringify(JSON.parse(value, (key, inner) => (key === 'headers' ? null : inner)));
  } catch {
    return ''; // which GraphiQL takes for nothing
  }
}

localStorage.removeItem(prefix + 'headers');
keys().forEach((key) => storage.setItem(key, localStorage.getItem(key)));

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: new URL(root.dataset.endpoint, location.href).href, fetch: explainedCalls.fetch }),
    plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false }), explainedCalls.plugin],
    defaultTabs: examples.map(({ query, variables }) => ({ query, variables, headers })),
    defaultHeaders: headers,
    defaultEditorToolsVisibility: 'headers',
    isHeadersEditorEnabled: true,
    storage,
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
    inputValueDeprecation: true,
  }),
);
