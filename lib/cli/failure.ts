import { escapedLines } from '../escape.ts';

/** Message, with the code at the end of its first line; with FACTORED_SVD_DEBUG in the environment the stack, too. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return escapedLines(String(error));
  const message = 'code' in error ? error.message.replace(/$/m, ` [${error.code}]`) : error.message;
  return escapedLines(process.env.FACTORED_SVD_DEBUG ? `${message}\n${error.stack}` : message);
}
