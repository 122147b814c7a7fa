/** What is called when a signal aborts. */
type Listener = () => void;

// One listener of the signal for all computations that have it: Node warns of more than ten.
const listeners = new WeakMap<AbortSignal, Set<Listener>>();

/** Calls `listener` once when `signal` aborts, unless the function that is returned is called before. */
export function onAbort(signal: AbortSignal, listener: Listener): () => void {
  const known = listeners.get(signal) ?? listenTo(signal);
  known.add(listener);
  return () => {
    if (known.delete(listener) && known.size === 0) {
      signal.removeEventListener('abort', abort);
      listeners.delete(signal);
    }
  };
}

function listenTo(signal: AbortSignal): Set<Listener> {
  const all = new Set<Listener>();
  listeners.set(signal, all);
  signal.addEventListener('abort', abort, { once: true });
  return all;
}

function abort(this: AbortSignal): void {
  const all = listeners.get(this) ?? [];
  listeners.delete(this);
  for (const listener of [...all]) listener();
}
