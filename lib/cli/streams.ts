/** Where a command writes: results to `stdout`, everything else to `stderr`. */
export interface Streams {
  stdout: OutputStream;
  stderr: OutputStream;
}

export type OutputStream = NodeJS.WritableStream & { isTTY?: boolean };

/** Lets a command run on when the reader of its output has gone away (`factored-svd … | head`). */
export function outliveClosedPipes({ stdout, stderr }: Streams): void {
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosedPipe);
}

/** Writes `text`; rejects if that fails for any reason but a reader that has gone away. */
export function print(stream: OutputStream, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(text, (error) => (error && !isClosedPipe(error) ? reject(error) : resolve()));
  });
}

const isClosedPipe = (error: Error): boolean =>
  ['EPIPE', 'ERR_STREAM_DESTROYED'].includes((error as NodeJS.ErrnoException).code ?? '');

// What `print` rejects with arrives here as well.
const ignoreClosedPipe = (): void => {};
