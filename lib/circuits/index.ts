/** `factored-svd/circuits`: the attention circuits of checkpoints. */
export type { CircuitKind, CircuitState } from './attention.ts';
export {
  Checkpoint,
  type CircuitOptions,
  type Circuits,
  type DecomposeOptions,
  type LayerSvd,
} from './checkpoint.ts';
export { type CompositionKind, compositionScores, randomCompositionScore } from './composition.ts';
export type {
  DeclaredAttention,
  DeclaredLayout,
  DeclaredOutput,
  DeclaredPacked,
  DeclaredSeparate,
} from './declared.ts';
export type { Norm, Order, QkNorm, Stack } from './families.ts';
export { type Isolation, isolation } from './isolation.ts';
export { type CheckpointOptions, openCheckpoint } from './open.ts';
export type { DirectionTokens, TokenScore, TokensOptions } from './tokens.ts';
