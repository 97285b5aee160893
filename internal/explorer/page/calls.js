'use strict';

// A panel of GraphiQL that shows what the last answer took: the REST calls as bars on the
// time that the answer took. The page asks for it with each operation, and keeps it out
// of the answer that the editor shows.
const explainedCalls = (() => {
  const { createElement: h, useSyncExternalStore } = React;
  let last = null;
  const listeners = new Set();
  const subscribe = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const set = (explanation) => {
    last = explanation;
    listeners.forEach((listener) => listener());
  };

  async function fetchExplained(url, init) {
    if (/"operationName":"IntrospectionQuery"/.test(init.body)) {
      return fetch(url, { ...init, headers: { ...init.headers, 'X-Funnelgraph-Explain': '0' } });
    }
    if (/@defer/.test(init.body)) { // in parts, which go through as they come
      set(null);
      return fetch(url, { ...init, headers: { ...init.headers, 'X-Funnelgraph-Explain': '0' } });
    }
    const response = await fetch(url, { ...init, headers: { ...init.headers, 'X-Funnelgraph-Explain': '1' } });
    const text = await response.text();
    const again = (body) => new Response(body, { status: response.status, headers: { 'Content-Type': response.headers.get('Content-Type') } });
    let answer;
    try {
      answer = JSON.parse(text);
    } catch {
      return again(text);
    }
    const { funnelgraph, ...others } = answer.extensions || {};
    set(funnelgraph || null);
    if (!funnelgraph) return again(text);
    if (Object.keys(others).length > 0) answer.extensions = others;
    else delete answer.extensions;
    return again(JSON.stringify(answer));
  }

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
    const e = useSyncExternalStore(subscribe, () => last);
    if (!e) return h('section', { className: 'calls' }, h('h2', { className: 'graphiql-doc-explorer-title' }, 'REST calls'), h('p', null, 'Run an operation to see which calls to ClickFunnels it takes. A client that may not see everything is not told.'));
    const shared = e.coalesced + e.cache;
    return h(
      'section',
      { className: 'calls' },
      h('h2', { className: 'graphiql-doc-explorer-title' }, 'REST calls'),
      h('p', null, h('strong', null, e.network === 1 ? '1 call' : `${e.network} calls`), e.chain > 1 ? `, ${e.chain} one after another` : '', shared > 0 ? `, and ${shared} answered from elsewhere` : '', `, in ${ms(e.durationMs)}. The answer could have ${e.complexity} fields.`),
      h('ol', null, e.calls.map((call, i) => h(Call, { key: i, call, whole: e.durationMs || 1 }))),
    );
  }

  const icon = () =>
    h('svg', { viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', strokeWidth: 1.5, strokeLinecap: 'round', 'aria-hidden': true }, h('path', { d: 'M3 5h9M7 12h11M12 19h9' }));

  return { fetch: fetchExplained, plugin: { title: 'REST calls', icon, content: Calls } };
})();
