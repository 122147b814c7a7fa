import { Writable } from 'node:stream';
import { run } from '../../lib/cli/run.ts';

/** A stream that remembers what was written. */
export class Capture extends Writable {
  text = '';
  isTTY = false;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

/** Runs the command in this process. */
export async function cli(...argv: string[]) {
  const [stdout, stderr] = [new Capture(), new Capture()];
  const code = await run(argv, { stdout, stderr });
  return { code, stdout: stdout.text, stderr: stderr.text };
}
