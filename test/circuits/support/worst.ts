import type { Checkpoint } from '../../../lib/circuits/index.ts';
import type { Model } from './models/model.ts';
import { disagreement, type Question } from './reference.ts';

const kinds = ['OV', 'QK'] as const;

/** How far the circuits of a checkpoint are from a reference; 1 is what rounding to float32 allows. */
export function worst(
  model: Checkpoint,
  subject: Model,
  question: Question,
  attention = subject.attention,
): number {
  const { dModel, heads, dHead, layers } = subject;
  const each = kinds.flatMap((kind) =>
    Array.from({ length: layers }, (_, n) =>
      disagreement(model[kind], [n], attention(n), kind, [dModel, heads, dHead], question),
    ),
  );
  return Math.max(...each);
}

/** The same of QK rotated. */
export async function worstRotated(
  model: Checkpoint,
  subject: Model,
  rotaryOffset: number,
  question: Question = {},
) {
  const { dModel, heads, dHead, layers } = subject;
  const QK = await model.circuit('QK', { rotaryOffset });
  const each = Array.from({ length: layers }, (_, n) =>
    disagreement(QK, [n], subject.attention(n), 'QK', [dModel, heads, dHead], { ...question, rotaryOffset }),
  );
  return Math.max(...each);
}
