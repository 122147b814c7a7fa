import { versions } from 'factored-svd';
import Fastify from 'fastify';
import { decompose } from './decompose.js';
import { statusOf } from './errors.js';
import { asJson, asSafetensors, safetensorsType } from './formats.js';
import { Limit } from './limit.js';
import { svdBody } from './schema.js';
import { signalOf } from './signal.js';

/** What one server takes on. */
export const defaultLimits = {
  concurrent: 2, // Computations at a time: all of them share one set of threads, but each has memory of its own.
  waiting: 8, // Requests that wait for their turn; one more is turned away.
  milliseconds: 60_000, // To receive a request, and again to wait and to compute.
  bodyBytes: 2 ** 23,
  numbers: 2 ** 21, // In one response.
  closeMilliseconds: 10_000, // What still runs so long after the server was told to close is stopped.
};

/**
 * The server, not yet listening.
 *
 * @param file an open safetensors file; the server closes it
 * @param options `limits`: some of `defaultLimits`; `logger`: as fastify's
 */
export function createServer(file, { limits: given = {}, logger = false } = {}) {
  const limits = { ...defaultLimits, ...given };
  const limit = new Limit(limits);
  const server = Fastify({
    logger,
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.milliseconds,
    // A number is a number: by fastify's defaults "5" is one, null is 0, and what the schema does not know is dropped.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false } },
  });

  server.get('/health', () => ({ versions: versions(), running: limit.running, waiting: limit.waiting }));

  server.get('/tensors', () =>
    Object.fromEntries(Array.from(file.tensors, ([name, { dtype, shape }]) => [name, { dtype, shape }])),
  );

  server.post('/svd', {
    schema: { body: svdBody },
    onRequest: async () => limit.mustHaveRoom(), // before the body is read
    handler: async (request, reply) => {
      const signal = signalOf(reply, limits.milliseconds); // who leaves also leaves the queue, or stops the computing
      const result = await limit.run(() => decompose(file, request.body, limits.numbers, signal), signal);
      if (request.headers.accept !== safetensorsType) return asJson(result);
      return reply.type(safetensorsType).send(await asSafetensors(result));
    },
  });

  server.setErrorHandler((error, request, reply) => {
    const status = statusOf(error);
    if (status === 503) reply.header('retry-after', '1');
    if (status < 500 || status === 503)
      return reply.code(status).send({ code: error.code, message: error.message });
    request.log.error(error);
    return reply.code(status).send({ code: error.code, message: 'the server failed' }); // paths stay in the log
  });

  // The requests that are open are answered; those whose time is up lose their connection, which aborts their signals.
  server.addHook('preClose', async () => {
    setTimeout(() => server.server.closeAllConnections(), limits.closeMilliseconds).unref();
  });
  server.addHook('onClose', () => file.close());
  return server;
}
