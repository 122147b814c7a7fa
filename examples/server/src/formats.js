import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeSafetensors } from 'factored-svd/weights';

/** A result with plain arrays and their shapes, elements in row-major order. */
export const asJson = (result) =>
  Object.fromEntries(
    Object.entries(result).map(([name, value]) => [name, isArray(value) ? plain(value) : value]),
  );

const isArray = (value) => value.data !== undefined; // an ndarray; the rest are numbers and names
const plain = ({ shape, data }) => ({ shape, data: Array.from(data) });

/** The media type of a safetensors file; there is no registered one. */
export const safetensorsType = 'application/vnd.safetensors';

/** U, S and Vh of a result, those that are there, as the bytes of a safetensors file. */
export async function asSafetensors(result) {
  const folder = await mkdtemp(join(tmpdir(), 'svd-server-'));
  try {
    const path = join(folder, 'result.safetensors');
    const tensors = Object.entries(result).filter(([name]) => ['U', 'S', 'Vh'].includes(name));
    await writeSafetensors(path, Object.fromEntries(tensors));
    return await readFile(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
