// This module renders GraphiQL with the parts of the page around it.
import { Account, SchemaOfAccount, load } from './account.js';
import { AnswerFacts, fetcher } from './answer.js';
import * as calls from './calls.js';
import { Question } from './dialog.js';
import * as examples from './examples.js';
import { Copied, CopyAs, openLink } from './share.js';
import { h } from './store.js';
import { ClosePanel, TabWatch, cleanStorage, isFirstVisit, narrowerThan, shown, storage } from './tabs.js';

cleanStorage();
const { opening } = examples;

ReactDOM.createRoot(document.getElementById('graphiql')).render(
  h(
    GraphiQL,
    {
      fetcher,
      plugins: [examples.plugin, calls.plugin, GraphiQLPluginExplorer.explorerPlugin({ showAttribution: false })],
      defaultTabs: [{ query: opening.query, variables: opening.variables }],
      defaultQuery: '',
      isHeadersEditorEnabled: true,
      storage,
      shouldPersistHeaders: false,
      showPersistHeadersSettings: false,
      inputValueDeprecation: true,
      schemaDescription: true,
    },
    h(GraphiQL.Logo, null, h(Account), h(ClosePanel)),
    h(GraphiQL.Toolbar, null, ({ prettify, merge, copy }) => h(React.Fragment, null, prettify, merge, copy, h(CopyAs))),
    h(GraphiQL.Footer, null, h(AnswerFacts)),
    h(TabWatch),
    h(SchemaOfAccount),
    h(Question),
    h(Copied),
  ),
);

load();
const unsubscribe = shown.subscribe(() => {
  unsubscribe();
  examples.startFilling();
  openLink();
  addEventListener('hashchange', openLink);
  // GraphiQL shows a panel only after a click on its button.
  if (isFirstVisit && !narrowerThan(1000)) document.querySelector('button[aria-label="Show Examples"]').click();
});
