import { RequestError } from './errors.js';

/**
 * At most `concurrent` jobs at a time, up to `waiting` more in the order in which they came. Unlike the queues of npm that
 * know no signal, a job whose signal aborts gives its place to another at once.
 */
export class Limit {
  #concurrent;
  #mostWaiting;
  #running = 0;
  #queue = new Set(); // in order; each lets one job begin

  constructor({ concurrent, waiting }) {
    this.#concurrent = concurrent;
    this.#mostWaiting = waiting;
  }

  get running() {
    return this.#running;
  }

  get waiting() {
    return this.#queue.size;
  }

  /** @throws 503 BUSY where a job could not even wait */
  mustHaveRoom() {
    if (this.#running < this.#concurrent || this.#queue.size < this.#mostWaiting) return;
    throw new RequestError(
      503,
      'BUSY',
      `${this.#running} requests are computed and ${this.#queue.size} wait`,
    );
  }

  /** What `job` resolves to. Rejects with `signal.reason` if it aborts before the job begins; the job heeds it itself. */
  async run(job, signal) {
    await this.#turn(signal);
    try {
      return await job();
    } finally {
      this.#next();
    }
  }

  async #turn(signal) {
    signal.throwIfAborted();
    this.mustHaveRoom();
    if (this.#running < this.#concurrent) {
      this.#running += 1;
      return;
    }
    await new Promise((resolve, reject) => {
      const begin = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        this.#queue.delete(begin);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.add(begin);
    });
  }

  /** A job has ended: the first that waits takes its place. */
  #next() {
    const [begin] = this.#queue;
    if (begin === undefined) {
      this.#running -= 1;
      return;
    }
    this.#queue.delete(begin);
    begin();
  }
}
