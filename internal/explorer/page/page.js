'use strict';

// The first visit opens a tab for each example; GraphiQL keeps the tabs itself
// afterwards. Headers are never stored: a token that is typed into the headers
// editor is gone with the page.
const root = document.getElementById('graphiql');
const examples = JSON.parse(document.getElementById('examples').textContent);
const headers = JSON.stringify({ Authorization: 'Bearer ' }, null, 2);

ReactDOM.createRoot(root).render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: new URL(root.dataset.endpoint, location.href).href }),
    plugins: [GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })],
    defaultTabs: examples.map(({ query, variables }) => ({ query, variables, headers })),
    defaultHeaders: headers,
    defaultEditorToolsVisibility: 'headers',
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
    showPersistHeadersSettings: false,
    inputValueDeprecation: true,
  }),
);
