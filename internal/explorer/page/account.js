// This module holds the one credential of the page, which all tabs share. It is the session of a
// sign-in, or a token or key in memory.
import { Modal } from './dialog.js';
import { h, makeStore } from './store.js';

const { Button } = GraphiQL.React;
const { dataset } = document.getElementById('graphiql');
export const endpoint = new URL(dataset.endpoint, location.href).href;

let token = '';
export const credential = () => (token ? { Authorization: `Bearer ${token}` } : {});

// account describes the caller. turn changes with each credential.
export const account = makeStore({ turn: 0, state: 'loading', title: 'Loading…', detail: '', workspaces: [] });

// ask sends a query of the page itself.
export async function ask(query, variables) {
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...credential() },
    body: JSON.stringify({ query, variables }),
    signal: AbortSignal.timeout(30000),
  });
  return response.json();
}

const viewerQuery = `query Account {
  viewer { name }
  workspaces(first: 100) { nodes { id rawId name team { id rawId name } } pageInfo { hasNextPage } }
}`;

// load finds out who the caller is, for each credential. loaded resolves when that is known.
let loading;
export const loaded = () => loading;
export const load = () => (loading = identify());

// Another page of the browser can sign in or out.
let workspaceOfSession;
addEventListener('focus', async () => {
  if (dataset.signIn !== 'true' || token) return;
  const session = await readSession();
  if (session?.workspace?.id !== workspaceOfSession) load();
});

async function identify() {
  const turn = account.get().turn + 1;
  account.set({ turn, state: 'loading', title: 'Loading…', detail: '', workspaces: [] });
  const session = token ? null : await readSession();
  const answer = await ask(viewerQuery).catch((failure) => ({ errors: [{ message: failure.message }] }));
  workspaceOfSession = session?.workspace?.id;
  if (turn === account.get().turn) account.set({ turn, ...describe(session, answer) });
}

// readSession returns the session, or null without one. offered is false if the server has no
// sign-in at the moment.
let offered = dataset.signIn === 'true';
async function readSession() {
  if (dataset.signIn !== 'true') return null;
  const response = await fetch('/auth/session', { signal: AbortSignal.timeout(15000) }).catch(() => null);
  offered = response?.ok || response?.status === 401;
  return response?.ok ? response.json().catch(() => null) : null;
}

function describe(session, { data, errors = [], extensions }) {
  const workspaces = data?.workspaces?.nodes ?? [];
  workspaces.sort((a, b) => (b.rawId === session?.workspace?.id) - (a.rawId === session?.workspace?.id)); // the session's first
  const seen = summary(workspaces, data?.workspaces?.pageInfo.hasNextPage);
  const facts = { workspaces, offered, token: Boolean(token) };
  if (session) return { ...facts, state: 'session', title: session.workspace?.name ?? 'Signed in', detail: session.team?.name ?? seen };
  if (errors.some((error) => error.extensions?.code === 'UNAUTHENTICATED')) {
    if (token) return { ...facts, state: 'refused', title: 'Token refused', detail: errors[0].message };
    return { ...facts, state: 'none', title: 'No account', detail: offered ? 'Sign in to run operations' : 'Enter a token to run operations' };
  }
  if (!data) return { ...facts, state: 'failed', title: 'No answer', detail: errors[0]?.message ?? '' };
  if (token) return { ...facts, state: 'token', title: data.viewer?.name ?? 'Your token', detail: seen };
  // Only the demo explains operations that do not ask for it.
  return { ...facts, state: 'open', title: extensions?.funnelgraph ? 'Demo data' : "The server's account", detail: seen };
}

function summary(workspaces, more) {
  const teams = [...new Set(workspaces.map(({ team }) => team?.name))].filter(Boolean);
  const team = teams.length > 1 ? `${teams.length}${more ? '+' : ''} teams` : teams[0];
  const workspace = workspaces.length > 1 ? `${workspaces.length}${more ? '+' : ''} workspaces` : workspaces[0]?.name;
  return [team, workspace].filter(Boolean).join(' · ');
}

function enter(entered) {
  token = entered.trim().replace(/^Bearer\s+/i, '');
  load();
}

async function signOut() {
  if (token) token = '';
  else {
    const response = await fetch('/auth/logout', { method: 'POST' }).catch(() => null);
    if (!response?.ok) {
      account.set({ ...account.get(), detail: 'The sign-out failed. Try again.' });
      return;
    }
  }
  load();
}

// Account is always on the page: the account, and the way in or out.
export function Account() {
  const { state, title, detail, offered, token } = account.use();
  const [open, setOpen] = React.useState(false);
  const unused = state !== 'session' && (!token || state === 'refused' || state === 'failed');
  return h(
    'div',
    { className: 'account' },
    h('div', { className: `account-name ${state}`, role: 'status', title: detail }, h('strong', null, title), detail && h('span', null, detail)),
    offered && state !== 'session' && !token && h('a', { className: 'graphiql-button primary', href: '/auth/login?return_to=/' }, 'Sign in'),
    unused && h(Button, { type: 'button', onClick: () => setOpen(true) }, 'Use a token'),
    (state === 'session' || token) && h(Button, { type: 'button', onClick: signOut }, 'Sign out'),
    h(Modal, { open, title: 'Use a token or key', onClose: () => setOpen(false) }, h(TokenForm, { onEnter: (entered) => (setOpen(false), enter(entered)) })),
  );
}

// TokenForm has no password field, since browsers offer to store passwords.
function TokenForm({ onEnter }) {
  const submit = (event) => {
    event.preventDefault();
    const entered = event.target.elements.token.value;
    if (entered.trim()) onEnter(entered);
  };
  return h(
    'form',
    { className: 'token-form', autoComplete: 'off', onSubmit: submit },
    h('label', { htmlFor: 'token' }, 'ClickFunnels token, or key of a client of this server'),
    h('input', { id: 'token', name: 'token', type: 'text', autoComplete: 'off', autoCapitalize: 'off', autoCorrect: 'off', spellCheck: false, autoFocus: true }),
    h('p', null, 'All tabs use it. The page keeps it in memory only, until you sign out, reload or close the page.'),
    h('div', { className: 'dialog-buttons' }, h(Button, { type: 'submit', className: 'primary' }, 'Use it')),
  );
}

// SchemaOfAccount fetches the schema again when the credential changes.
export function SchemaOfAccount() {
  const { introspect } = GraphiQL.React.useSchemaStore();
  const { turn } = account.use();
  React.useEffect(() => {
    if (turn > 1) introspect(); // GraphiQL itself fetches it first
  }, [turn]);
  return null;
}
