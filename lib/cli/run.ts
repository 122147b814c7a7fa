import { Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { compareCommand } from './compare.ts';
import { goldenCommand } from './golden.ts';
import { inspectCommand } from './inspect.ts';
import { outliveClosedPipes, print, type Streams } from './streams.ts';
import { svdCommand } from './svd.ts';

/** Exit codes of the command. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/**
 * Runs the command `factored-svd`.
 * @param argv the arguments after the name of the command
 * @returns the exit code: 0 done; 1 the computation or a file failed; 2 wrong usage; 130 interrupted by Ctrl-C
 */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  outliveClosedPipes(streams);
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  process.once('SIGINT', onInterrupt);
  try {
    await program(streams, interrupt.signal).parseAsync(argv, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    if (interrupt.signal.aborted && error === interrupt.signal.reason) return exitCodes.interrupted;
    await print(streams.stderr, `factored-svd: ${describeError(error)}\n`);
    return exitCodes.failed;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

function program(streams: Streams, signal: AbortSignal): Command {
  const command = new Command('factored-svd')
    .description(
      'Singular value decomposition of weight matrices, and of products A·B without forming large ones.',
    )
    .version(packageJson.version)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, 'factored-svd: ')),
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 the computation or a file failed, 2 wrong usage, 130 interrupted.',
    );
  inspectCommand(command.command('inspect'), streams);
  svdCommand(command.command('svd'), streams, signal);
  goldenCommand(command.command('golden'), streams, signal);
  compareCommand(command.command('compare'), streams, signal);
  return command;
}

/** Message, with the code at the end of its first line; with FACTORED_SVD_DEBUG in the environment the stack, too. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const message = 'code' in error ? error.message.replace(/$/m, ` [${error.code}]`) : error.message;
  return process.env.FACTORED_SVD_DEBUG ? `${message}\n${error.stack}` : message;
}
