// This panel of GraphiQL shows the REST calls of an answer as bars on the time that it took.
import { useAnswer } from './answer.js';
import { h, svg } from './store.js';

const percent = (part, whole) => `${Math.max(0, Math.min(100, (100 * part) / whole)).toFixed(2)}%`;
const ms = (n) => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

function Call({ call, whole }) {
  const what = `${call.method} ${call.path}${call.parameters ? '?' + call.parameters.join('&') : ''}`;
  const failed = call.status < 200 || call.status > 299;
  return h(
    'li',
    { className: failed ? 'call failed' : 'call' },
    h('div', { className: 'call-name' }, h('code', null, what), ' on ', call.host.replace(/^.*\//, '').replace(/\.myclickfunnels\.com$/, '')),
    h('div', { className: 'call-track', 'aria-hidden': true }, h('div', { className: `call-bar ${call.origin}`, style: { marginLeft: percent(call.startMs, whole), width: percent(call.durationMs, whole) } })),
    h('div', { className: 'call-facts' }, [call.status || 'no answer', call.origin, ms(call.durationMs)].join(' · ')),
  );
}

function Calls() {
  const answer = useAnswer();
  const e = answer?.calls;
  const why = answer?.more
    ? 'The calls follow with the last part of the answer.'
    : 'Run an operation to see which calls to ClickFunnels it takes. A client that may not see everything is not told.';
  if (!e) return h('section', { className: 'calls' }, h('h2', { className: 'graphiql-doc-explorer-title' }, 'REST calls'), h('p', null, why));
  const shared = e.coalesced + e.cache;
  return h(
    'section',
    { className: 'calls' },
    h('h2', { className: 'graphiql-doc-explorer-title' }, 'REST calls'),
    h('p', null, h('strong', null, e.network === 1 ? '1 call' : `${e.network} calls`), e.chain > 1 ? `, ${e.chain} one after another` : '', shared > 0 ? `, and ${shared} answered from elsewhere` : '', `, in ${ms(e.durationMs)}.`, e.complexity > 0 && ` The answer could have ${e.complexity} fields.`),
    h('ol', null, e.calls.map((call, i) => h(Call, { key: i, call, whole: e.durationMs || 1 }))),
  );
}

const icon = () => svg('M3 5h9M7 12h11M12 19h9');

export const plugin = { title: 'REST calls', icon, content: Calls };
