import { formatOf, type Stored } from '../array/elements.ts';
import { quote } from '../array/escape.ts';
import { itemOffsets } from '../array/indexing.ts';
import { allocate } from '../array/memory.ts';
import { ndarray } from '../array/ndarray.ts';
import { type Input, product } from '../array/tensor.ts';
import { fileError } from '../weights/file-errors.ts';
import type { Weights } from '../weights/index.ts';
import { expectedShape, type Layout, nameIn, type Part, type Place } from './layout.ts';

/** One tensor, or rows of it, and where they are to stand. */
export interface Wanted {
  readonly name: string;
  readonly rows: readonly [from: number, to: number] | undefined;
  readonly into: Stored;
}

/** What is to be read, and the views of it: layers × groups × heads of a group × rows × columns. */
export interface Plan {
  readonly wanted: readonly Wanted[];
  /** [layers, kvHeads, heads / kvHeads, dModel, dHead]; of O [..., dHead, dOut]. Shared heads have stride 0. */
  readonly views: Readonly<Record<Part, Input>>;
}

const arrays = { F64: 'float64', F32: 'float32', F16: 'float16', BF16: 'bfloat16' } as const;

/**
 * Room for some projections of the layers `from` … `to − 1` as they are stored, and the views of every head in it. A tensor
 * that holds several of them is read once.
 */
export function planHeads(
  weights: Weights,
  layout: Layout,
  parts: readonly Part[],
  [from, to]: readonly [number, number],
): Plan {
  const wanted: Wanted[] = [];
  const stacks = new Map<string, Stored>();
  const views: Partial<Record<Part, Input>> = {};
  for (const part of parts) {
    const place = layout.places[part];
    const shape = expectedShape(layout, part, place);
    const rows = rowsOf(part, place, layout);
    const perLayer = rows ? (rows[1] - rows[0]) * shape[1] : product(shape);
    const key = `${place.weight} ${rows ?? ''}`;
    let data = stacks.get(key);
    if (data === undefined) {
      const format = formatIn(weights, place.weight, from, to);
      data = allocate(format, [to - from, perLayer], `${quote(place.weight)} of ${to - from} layers`);
      stacks.set(key, data);
      for (let layer = from; layer < to; layer++) {
        const begin = (layer - from) * perLayer;
        wanted.push({
          name: nameIn(place.weight, layer),
          rows,
          into: data.subarray(begin, begin + perLayer) as Stored,
        });
      }
    }
    views[part] = viewOf(data, part, place, layout, to - from, perLayer, rows?.[0] ?? 0);
  }
  return { wanted, views: views as Plan['views'] };
}

/** The rows to read where all the heads of a projection lie together; else the whole tensor is. */
function rowsOf(part: Part, place: Place, { kvHeads, dHead }: Layout): readonly [number, number] | undefined {
  if (part === 'o' || place.stored !== 'linear') return undefined;
  const { first, perGroup, total } = place;
  const span = kvHeads * perGroup; // of all the tensor where heads of Q, K and V take turns
  return span < total ? [first * dHead, (first + span) * dHead] : undefined;
}

/** The format that all the layers have. */
function formatIn(weights: Weights, pattern: string, from: number, to: number) {
  const dtypeIn = (layer: number) => weights.tensors.get(nameIn(pattern, layer))!.dtype;
  const dtype = dtypeIn(from);
  for (let layer = from + 1; layer < to; layer++)
    if (dtypeIn(layer) !== dtype)
      throw fileError(
        weights.path,
        `tensor ${quote(nameIn(pattern, layer))} has dtype ${dtypeIn(layer)}, that of layer ${from} ${dtype}: open the layers apart, with circuit or decompose`,
      );
  return arrays[dtype as keyof typeof arrays];
}

function viewOf(
  data: Stored,
  part: Part,
  place: Place,
  { heads, kvHeads, dModel, dOut, dHead }: Layout,
  layers: number,
  perLayer: number,
  firstRow: number,
): Input {
  const { stored, total, first, perGroup, perHead } = place;
  const inner = total * dHead;
  const leading = [layers, kvHeads, heads / kvHeads];
  if (part === 'o') {
    const [head, row, col] = stored === 'linear' ? [dHead, 1, inner] : [dHead * dOut, dOut, 1];
    return ndarray(data, [...leading, dHead, dOut], [perLayer, perGroup * head, perHead * head, row, col], 0);
  }
  const [head, row, col] = {
    linear: [dHead * dModel, 1, dModel],
    conv1d: [dHead, inner, 1],
    heads: [dModel * dHead, dHead, 1],
  }[stored];
  const offset = first * head - firstRow * dModel;
  return ndarray(
    data,
    [...leading, dModel, dHead],
    [perLayer, perGroup * head, perHead * head, row, col],
    offset,
  );
}

/**
 * The same matrices with one axis for all heads: as a view where they lie evenly, else as a copy. (No strided view has
 * heads that share a matrix three by three.)
 */
export function oneAxisOfHeads(x: Input): Input {
  const [layers, groups, shared, rows, cols] = x.shape;
  const [perLayer, perGroup, perHead, row, col] = x.stride;
  const shape = [layers, groups * shared, rows, cols];
  const even = groups === 1 || shared === 1 || perGroup === shared * perHead;
  if (even) return ndarray(x.data, shape, [perLayer, shared > 1 ? perHead : perGroup, row, col], x.offset);
  const out = allocate(formatOf(x.data), shape, 'heads');
  const byColumns = row === 1; // as the lines of a matrix lie, so they are copied
  const [lines, length, step] = byColumns ? [cols, rows, col] : [rows, cols, row];
  itemOffsets(x).forEach((offset, i) => {
    for (let line = 0; line < lines; line++) {
      const begin = offset + line * step;
      out.set(x.data.subarray(begin, begin + length), (i * lines + line) * length);
    }
  });
  const size = rows * cols;
  return ndarray(out, shape, [groups * shared * size, size, ...(byColumns ? [1, rows] : [cols, 1])], 0);
}
