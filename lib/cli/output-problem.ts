import { shownPath } from '../weights/file-errors.ts';
import { resolveOutput, sameFile } from '../weights/output.ts';

/**
 * What is wrong with `--out`, before any work: it would overwrite an input, whatever names they have.
 * @throws `ERR_SVD_FILE` where it could not be written
 */
export async function outputProblem(
  out: string | undefined,
  inputs: readonly string[],
): Promise<string | undefined> {
  if (out === undefined) return undefined;
  const input = await sameFile(out, inputs);
  if (input !== undefined) return `--out would overwrite the input file ${shownPath(input)}`;
  await resolveOutput(out);
  return undefined;
}
