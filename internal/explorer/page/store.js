// The smallest observable value, and the hook that renders its changes.
export const h = React.createElement;

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
