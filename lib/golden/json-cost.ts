import { fileError } from '../weights/file-errors.ts';

/** Bytes that `JSON.parse` may take: records of a million singular values fit. */
const mostBytes = 2 ** 30;

/** Levels of a golden file. */
const mostLevels = 16;

const [quoteMark, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a];
const [opensList, opensObject, closesList, closesObject] = [0x5b, 0x7b, 0x5d, 0x7d];

/**
 * That `JSON.parse` of these bytes will not exhaust memory, whatever they are: what it makes is counted first. A list, an
 * object and a member take some 64 bytes each, an element 16.
 * @throws `ERR_SVD_FILE`
 */
export function checkJsonCost(path: string, bytes: Uint8Array): void {
  let level = 0;
  let cost = bytes.length;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === quoteMark) at = endOfString(bytes, at);
    else if (byte === comma) cost += 16;
    else if (byte === colon) cost += 64;
    else if (byte === opensList || byte === opensObject) {
      cost += 64;
      if (++level > mostLevels)
        throw fileError(path, `not a golden file: nested more than ${mostLevels} levels deep at byte ${at}`);
    } else if (byte === closesList || byte === closesObject) level--;
  }
  if (cost > mostBytes)
    throw fileError(path, `too large for a golden file: it would take ${cost} bytes of memory`);
}

function endOfString(bytes: Uint8Array, start: number): number {
  let at = start + 1;
  while (at < bytes.length && bytes[at] !== quoteMark) at += bytes[at] === backslash ? 2 : 1;
  return at;
}
