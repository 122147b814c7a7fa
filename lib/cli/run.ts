import { Command, CommanderError } from 'commander';
import { escaped, escapedLines } from '../array/escape.ts';
import { version } from '../native/version.ts';
import { circuitsCommand } from './circuits.ts';
import { compareCommand } from './compare.ts';
import { diffCommand } from './diff.ts';
import { goldenCommand } from './golden.ts';
import { inspectCommand } from './inspect.ts';
import { loraCommand } from './lora.ts';
import { mergeCommand } from './merge.ts';
import { reportCommand } from './page.ts';
import { scanCommand } from './scan.ts';
import { describeFailure, outliveClosedPipes, print, type Streams } from './streams.ts';
import { svdCommand } from './svd.ts';

/** Exit codes of the command. One that a signal stopped has those that a shell gives. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

const stoppedBy = ['SIGHUP', 'SIGINT', 'SIGTERM'] as const;

/**
 * Runs the command `factored-svd`.
 * @param argv the arguments after the name of the command
 * @returns the exit code: 0 done; 1 the computation or a file failed, for `compare` a record that does not
 * hold, for `diff` a change; 2 wrong usage, for these two whatever kept them from comparing; 128 and the number of the signal that stopped it
 */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  outliveClosedPipes(streams);
  const interrupt = new AbortController();
  let code: number = exitCodes.ok;
  const onSignal = (name: (typeof stoppedBy)[number]) => {
    code = exitCodes[name];
    interrupt.abort();
  };
  for (const name of stoppedBy) process.once(name, onSignal);
  try {
    const work = program(streams, interrupt.signal).parseAsync(argv, { from: 'user' });
    await Promise.race([work, rejectionOnAbort(interrupt.signal)]);
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return code;
    await print(streams.stderr, `factored-svd: ${describeFailure(error)}\n`).catch(() => {}); // whom to tell?
    return exitCodes.failed;
  } finally {
    for (const name of stoppedBy) process.off(name, onSignal);
  }
}

/** What is under way when a signal arrives, reading a large file say, is not waited for. */
const rejectionOnAbort = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

/** An error of commander on one line, which arguments in it cannot end, and on the next what may have been meant. */
function usageError(text: string): string {
  const [, message, suggestion = ''] = /^(?:error: )?(.*?)(\n\(Did you mean [^\n]*\))?\n?$/s.exec(text)!;
  return `factored-svd: ${escaped(message)}${suggestion}\n`;
}

function program(streams: Streams, signal: AbortSignal): Command {
  const command = new Command('factored-svd')
    .description(
      'Singular value decomposition of weight matrices, and of products A·B without forming large ones.',
    )
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(escapedLines(text)), // it repeats arguments
      outputError: (text, write) => write(usageError(text)),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the computation or a file failed, 2 wrong usage, 130 interrupted, 143 terminated.\n' +
        'Of compare: 0 every record holds, 1 one does not, 2 it could not compare. Of diff: 0 the same, 1 not, 2 it could not compare.',
    );
  inspectCommand(command.command('inspect'), streams);
  svdCommand(command.command('svd'), streams, signal);
  goldenCommand(command.command('golden'), streams, signal);
  compareCommand(command.command('compare'), streams, signal);
  circuitsCommand(command.command('circuits'), streams, signal);
  mergeCommand(command.command('merge'), streams, signal);
  diffCommand(command.command('diff'), streams, signal);
  loraCommand(command.command('lora'), streams, signal);
  reportCommand(command.command('report'), streams, signal);
  scanCommand(command.command('scan'), streams, signal);
  return command;
}
