import { createHash } from 'node:crypto';
import type { Dtype } from '../array/elements.ts';
import { isOwnError, type SvdError, svdError } from '../array/errors.ts';
import { cols, dropAxis, dtypeOf, rows, swapLast, type Tensor, tensor } from '../array/tensor.ts';
import type { Checkpoint, CircuitKind, CircuitState, Circuits, DeclaredLayout } from '../circuits/index.ts';
import { matmul } from '../matmul.ts';
import * as bounds from '../testing/bounds.ts';
import { widened } from '../testing/decomposition.ts';
import { type Check, exact, measured, report } from '../testing/report.ts';
import { tensorBytes } from '../weights/weights.ts';
import { type Kept, type Part, type Selection, sameBytes, type Tolerance, type Walk } from './checkpoint.ts';
import { compareSpectrum } from './compare.ts';
import { type ItemRecord, recordSpectrum } from './record.ts';
import { compareSpectra, type Spectrum, spectraOf } from './spectra.ts';
import { distance, probeSigns, productProbes } from './sums.ts';

/** What is kept of the circuits of one kind and layer. */
export interface CircuitRecord {
  readonly kind: CircuitKind;
  readonly layer: number;
  /** `[heads, rows, cols]` */
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  /** xᵀ·M·y for fixed vectors of signs, so many for each head. */
  readonly sums: Float64Array;
  /** ‖M‖_F of each head. */
  readonly norms: readonly number[];
  /** Of each head. */
  readonly spectra?: readonly Spectrum[];
  /** In their stead where whole decompositions were asked for. */
  readonly items?: readonly ItemRecord[];
}

/** What circuits were made of. */
export interface CircuitSource {
  /** What a checkpoint must have in common with the one that was recorded. */
  readonly model: Readonly<Record<(typeof modelMembers)[number], string | number>>;
  readonly state: CircuitState;
  readonly rotaryOffset: number;
  readonly kinds: readonly CircuitKind[];
  /** Where the attention stands, if that had to be said. */
  readonly layout?: DeclaredLayout | undefined;
  /** Of the names and bytes of all tensors that circuits come of. */
  readonly sha256: string;
}

export const modelMembers = ['modelType', 'layers', 'heads', 'kvHeads', 'dModel', 'dOut', 'dHead'] as const;

const modelOf = (checkpoint: Checkpoint) =>
  Object.fromEntries(modelMembers.map((name) => [name, checkpoint[name]])) as CircuitSource['model'];

/** Which circuits are recorded. */
export type CircuitChoice = Pick<CircuitSource, 'kinds' | 'rotaryOffset' | 'layout'>;

/** What a journal calls them. */
export const circuitName = (kind: CircuitKind, layer: number): string => `${kind} ${layer}`;

/** Records the circuits of all layers, one after the other. */
export async function recordCircuits(
  checkpoint: Checkpoint,
  choice: CircuitChoice,
  selection: Pick<Selection, 'leading' | 'full'>,
  walk: Walk,
  resumed?: { readonly sha256: string; readonly kept: Kept<CircuitRecord> },
): Promise<CircuitSource & { circuits: CircuitRecord[] }> {
  const circuits: CircuitRecord[] = [];
  const known = (kind: CircuitKind, layer: number) => resumed?.kept.get(circuitName(kind, layer));
  for await (const part of decomposed(checkpoint, choice, walk, known)) {
    if ('error' in part) throw part.error;
    const record = 'svd' in part ? { ...part.record, ...spectraRecord(part.svd, selection) } : part;
    if ('svd' in part) await resumed?.kept.add(circuitName(record.kind, record.layer), record);
    circuits.push(record);
  }
  return {
    model: modelOf(checkpoint),
    state: checkpoint.state,
    ...choice,
    sha256: resumed?.sha256 ?? (await sourceHash(checkpoint, walk.signal)),
    circuits,
  };
}

/** The decompositions of all heads of a layer. */
interface LayerSvd {
  readonly U: Tensor;
  readonly S: Tensor;
  readonly Vh: Tensor;
  /** Of each head. */
  readonly bound: Tensor;
  readonly next: Tensor | undefined;
}

interface Decomposed {
  readonly record: Omit<CircuitRecord, 'spectra' | 'items'>;
  readonly svd: LayerSvd;
}

/** Circuits that have no decomposition: they are not finite, or results would not be. */
interface Undecomposed {
  readonly kind: CircuitKind;
  readonly layer: number;
  readonly error: SvdError;
}

const ofNumbers = new Set(['ERR_SVD_NON_FINITE', 'ERR_SVD_OVERFLOW', 'ERR_SVD_NO_CONVERGENCE']);

/** What is known already comes as it is. */
async function* decomposed<T extends object = never>(
  checkpoint: Checkpoint,
  { kinds, rotaryOffset }: Pick<CircuitSource, 'kinds' | 'rotaryOffset'>,
  { signal, onProgress }: Walk,
  known: (kind: CircuitKind, layer: number) => T | undefined = () => undefined,
): AsyncGenerator<Decomposed | Undecomposed | T, void, void> {
  const total = kinds.length * checkpoint.layers;
  let done = 0;
  for (const kind of kinds)
    for (let layer = 0; layer < checkpoint.layers; layer++) {
      onProgress?.({ done, total });
      const there = known(kind, layer);
      if (there) {
        yield there;
        done++;
        continue;
      }
      yield await decomposedLayer(checkpoint, kind, layer, rotaryOffset, signal);
      onProgress?.({ done: ++done, total });
    }
}

async function decomposedLayer(
  checkpoint: Checkpoint,
  kind: CircuitKind,
  layer: number,
  rotaryOffset: number,
  signal: AbortSignal | undefined,
): Promise<Decomposed | Undecomposed> {
  try {
    const M = await checkpoint.circuit(kind, {
      layers: [layer, layer + 1],
      ...(kind === 'QK' && { rotaryOffset }),
      signal,
    });
    const svd = ofLayer(await M.svdAsync({ signal }));
    const [norms, sums] = [normsOf(svd.S), probed(M.A, M.B)];
    if (![norms, sums].every((all) => all.every(Number.isFinite)))
      throw svdError('ERR_SVD_OVERFLOW', 'a norm is beyond the range of float64');
    return { record: { kind, layer, shape: M.shape.slice(1), dtype: dtypeOf(svd.S), norms, sums }, svd };
  } catch (error) {
    if (!isOwnError(error) || !ofNumbers.has(error.code)) throw error;
    const { code, message, ...details } = error;
    const head = details.batchIndex ? `, head ${details.batchIndex[1]}` : '';
    return { kind, layer, error: svdError(code, `${kind} of layer ${layer}${head}: ${message}`, details) };
  }
}

/** Without the axis of the one layer. */
function ofLayer({ U, S, Vh, bound, next }: Awaited<ReturnType<Circuits['svdAsync']>>): LayerSvd {
  const [u, s, vh, b] = [U, S, Vh, bound].map((x) => dropAxis(x as Tensor, 0) as Tensor);
  return { U: u, S: s, Vh: vh, bound: b, next: next && (dropAxis(next as Tensor, 0) as Tensor) };
}

/** ‖M‖_F by the singular values of every matrix. */
function normsOf(S: Tensor): number[] {
  const p = S.shape[S.shape.length - 1];
  return Array.from({ length: S.size / p }, (_, i) =>
    Math.hypot(...S.data.subarray(S.offset + i * p, S.offset + (i + 1) * p)),
  );
}

/** xᵀ·A·B·y for every product and all probes, in float64. */
function probed(A: Tensor, B: Tensor): Float64Array {
  const x = tensor(probeSigns(rows(A), 0), [rows(A), productProbes]);
  const y = tensor(probeSigns(cols(B), 1), [cols(B), productProbes]);
  const left = matmul(swapLast(widened(A)), x) as Tensor<Float64Array>;
  const right = matmul(widened(B), y) as Tensor<Float64Array>;
  const k = rows(left);
  return Float64Array.from({ length: left.size / k }, (_, at) => {
    const [item, j] = [Math.floor(at / productProbes), at % productProbes];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const e = (item * k + i) * productProbes + j;
      sum += left.data[e] * right.data[e];
    }
    return sum;
  });
}

function spectraRecord(svd: LayerSvd, { leading, full }: Pick<Selection, 'leading' | 'full'>) {
  if (full) return { items: recordSpectrum(svd).items };
  return { spectra: spectraOf(svd.S, (_, i) => boundOf(svd, i), leading) };
}

const boundOf = ({ bound }: LayerSvd, head: number): number => bound.data[bound.offset + head];

/** SHA-256 of all that the circuits are made of, the configuration apart. */
export async function sourceHash(
  { weights, tensorNames }: Checkpoint,
  signal: AbortSignal | undefined,
): Promise<string> {
  const hash = createHash('sha256');
  for (const name of tensorNames) {
    const { dtype, shape } = weights.tensors.get(name)!;
    hash.update(JSON.stringify([name, dtype, shape]));
    for await (const bytes of tensorBytes(weights, name)) {
      signal?.throwIfAborted();
      hash.update(bytes);
    }
  }
  return hash.digest('hex');
}

/**
 * Compares the circuits with the record, layer by layer; nothing is decomposed where they come of the same bytes.
 * @throws `ERR_SVD_ARGUMENT` for circuits of another state, which do not compare
 */
export async function* compareCircuits(
  checkpoint: Checkpoint,
  then: CircuitSource & { readonly circuits: readonly CircuitRecord[] },
  { within, ...walk }: Tolerance & Walk,
): AsyncGenerator<Part, void, void> {
  const state = (x: CircuitState) =>
    JSON.stringify([x.foldNorms, x.centerWriting, x.biases, x.stack ?? null]);
  if (state(checkpoint.state) !== state(then.state))
    throw svdError(
      'ERR_SVD_ARGUMENT',
      `circuits of another state: recorded were ${JSON.stringify(then.state)}, these are ${JSON.stringify(checkpoint.state)}`,
    );
  const model = modelOf(checkpoint);
  const other = modelMembers.filter((name) => model[name] !== then.model[name]);
  const detail = other.map((name) => `${name} is ${model[name]}, was ${then.model[name]}`).join(', ');
  const same = exact('same model', other.length, { detail });
  const isSame = other.length === 0 && then.rotaryOffset === 0;
  if (!same.pass || (isSame && (await sourceHash(checkpoint, walk.signal)) === then.sha256)) {
    yield { title: 'model', report: report(same.pass ? [same, exact(sameBytes, 0)] : [same]) };
    return;
  }
  let i = 0;
  for await (const part of decomposed(checkpoint, then, walk)) {
    const recorded = then.circuits[i++];
    const { kind, layer } = recorded;
    const checks =
      'error' in part
        ? [exact('decomposition', 1, { detail: part.error.message })]
        : compareLayer(part.record, part.svd, recorded, within);
    yield { title: `${kind} of layer ${layer}`, report: report(checks) };
  }
}

function compareLayer(
  now: Decomposed['record'],
  svd: LayerSvd,
  then: CircuitRecord,
  within: number | undefined,
): Check[] {
  const outline = exact('shape', now.shape.join() === then.shape.join() ? 0 : 1, {
    detail: `it is [${now.shape}], was [${then.shape}]`,
  });
  const sameDtype = within !== undefined || now.dtype === then.dtype;
  const dtype = exact('dtype', sameDtype ? 0 : 1, { detail: `it is ${now.dtype}, was ${then.dtype}` });
  if (!outline.pass || !dtype.pass) return [dtype, outline];
  const changes = then.norms.map((norm, head) => {
    const part = (x: Float64Array) => x.subarray(head * productProbes, (head + 1) * productProbes);
    const change = distance(part(now.sums), part(then.sums)) / Math.sqrt(productProbes);
    const beta = bounds.beta(now.dtype, boundOf(svd, head));
    const rounding = bounds.reconstruction(now.dtype, norm, now.shape[1], now.shape[2], beta);
    const limit = within === undefined ? rounding : within * norm;
    return measured('change ‖M′ − M‖_F, estimated', change, limit, { batchIndex: [head] });
  });
  if (within !== undefined) return [dtype, outline, ...changes];
  if (then.items)
    return [dtype, outline, ...changes, ...compareSpectrum(svd, { ...then, items: then.items }).checks];
  const p = svd.S.shape[svd.S.shape.length - 1];
  const { spectra = [] } = then;
  const current = spectraRecord(svd, { leading: spectra[0]?.leading.length ?? 0, full: false }).spectra ?? [];
  const compared = spectra.flatMap((spectrum, head) =>
    compareSpectra(current[head], spectrum, { p, dtype: now.dtype, batchIndex: [head] }),
  );
  return [dtype, outline, ...changes, ...compared];
}
