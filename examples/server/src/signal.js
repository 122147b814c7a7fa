import { RequestError } from './errors.js';

/**
 * Aborts when nobody waits for the response any more, or when its time is up. It is the response that tells: a request
 * counts as closed, and aborts fastify's `request.signal`, as soon as its body has been read.
 */
export function signalOf(reply, milliseconds) {
  const controller = new AbortController();
  const { raw } = reply;
  if (raw.destroyed) return AbortSignal.abort();
  const late = new RequestError(503, 'TIMEOUT', `the computation was stopped after ${milliseconds} ms`);
  const timer = setTimeout(() => controller.abort(late), milliseconds);
  raw.once('close', () => {
    clearTimeout(timer);
    controller.abort();
  });
  return controller.signal;
}
