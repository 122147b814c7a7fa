import { version } from '../native/version.ts';
import { weightsIdentity } from '../weights/identity.ts';
import type { Weights } from '../weights/index.ts';
import { Journal } from '../weights/journal.ts';
import type { JsonReader } from '../weights/json-reader.ts';
import { type ChangeKind, changeKinds, type DiffOptions, type TensorDiff } from './walk.ts';

/**
 * The journal of what is compared: a record for each tensor of both, without directions.
 * @throws `ERR_SVD_FILE`, too, where it is of other weights or another choice of them
 */
export async function openJournal(
  path: string,
  resume: boolean,
  a: Weights,
  b: Weights,
  { include, exclude, shard }: DiffOptions,
): Promise<Journal<TensorDiff>> {
  const head = {
    format: 'factored-svd diff 1',
    factoredSvd: version,
    a: await weightsIdentity(a),
    b: await weightsIdentity(b),
    include: include ?? [],
    exclude: exclude ?? [],
    ...(shard && { shard: [shard.index, shard.count] }),
  };
  return Journal.open<TensorDiff>(path, head, { read: readDiff, resume });
}

/** A tensor of which the directions are left out: of what stands out the singular values alone. */
export const withoutDirections = ({ readings, ...tensor }: TensorDiff): TensorDiff => ({
  ...tensor,
  readings: readings.map(({ index, reading: { spikes, ...reading } }) => {
    if (spikes === undefined) return { index, reading };
    const { part, ...plain } = spikes;
    return { index, reading: { ...reading, spikes: plain } };
  }),
});

function readDiff(reader: JsonReader, value: unknown, at: string): TensorDiff {
  const { name, other, dtype, shape, kinds, readings, matrices } = reader.object(value, at);
  const kind = (x: unknown, place: string): ChangeKind => {
    if (!changeKinds.includes(x as ChangeKind)) reader.fail(place, `one of ${changeKinds.join(', ')}`);
    return x as ChangeKind;
  };
  const texts = (x: unknown, place: string) => reader.text(x, place);
  const sizes = (x: unknown, place: string) => reader.list(x, place, (size, here) => reader.size(size, here));
  const numbers = ['relative', 'largest', 'changed', 'elements'];
  return {
    name: reader.text(name, `${at}: name`),
    ...(other === undefined ? {} : { other: reader.text(other, `${at}: other`) }),
    dtype: reader.list(dtype, `${at}: dtype`, texts),
    shape: reader.list(shape, `${at}: shape`, sizes),
    kinds: reader.list(kinds, `${at}: kinds`, kind),
    matrices: reader.size(matrices, `${at}: matrices`),
    readings: reader.list(readings, `${at}: readings`, (x, place) => {
      const { index, reading } = reader.object(x, place);
      const members = reader.object(reading, place);
      kind(members.kind, place);
      for (const key of numbers)
        if (typeof members[key] !== 'number') reader.fail(`${place}: ${key}`, 'a number');
      if (['cast', 'cast-like'].includes(members.kind as string))
        reader.text(reader.object(members.cast, place).to, place);
      if (['spikes', 'bulk'].includes(members.kind as string)) {
        const { count, S } = reader.object(members.spikes, place);
        reader.size(count, place);
        if (S !== undefined) reader.list(S, place, (s, here) => reader.number(s, here));
      }
      return { index: reader.size(index, place), reading: members as never };
    }),
  };
}
