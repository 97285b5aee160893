// This module makes elements, icons, and observable values that render their changes.
export const h = React.createElement;

// svg draws an icon like GraphiQL's own.
export const svg = (d, attributes) =>
  h('svg', { viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', strokeWidth: 1.5, strokeLinecap: 'round', strokeLinejoin: 'round', 'aria-hidden': true, ...attributes }, h('path', { d }));

export function makeStore(value) {
  const listeners = new Set();
  const get = () => value;
  const subscribe = (listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  return {
    get,
    subscribe,
    set(next) {
      value = next;
      listeners.forEach((listener) => listener());
    },
    use: () => React.useSyncExternalStore(subscribe, get),
  };
}
