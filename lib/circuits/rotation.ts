import { svdError } from '../array/errors.ts';
import type { Config } from '../weights/config.ts';
import type { Rotary } from './families.ts';

/**
 * The angles by which the pairs of a head are turned from one position to the next (Su et al., "RoFormer", 2021), with the
 * scalings of `transformers` that do not depend on the length of a text.
 *
 * @throws `ERR_SVD_ARGUMENT` for one that does, and for an odd number of dimensions
 */
export function anglesOf({ dims, of }: Rotary, layer: number): Float64Array {
  if (dims % 2 !== 0)
    throw svdError('ERR_SVD_ARGUMENT', `rotaryOffset: ${dims} numbers of a head cannot turn in pairs`);
  const { config, theta: absent } = of(layer);
  const parameters = config.part('rope_parameters');
  const theta = parameters.number('rope_theta', config.number('rope_theta', absent));
  const frequencies = Float64Array.from({ length: dims / 2 }, (_, k) => theta ** ((-2 * k) / dims));
  return scaled(frequencies, parameters.has('rope_type') ? parameters : scalingOf(config));
}

/** The scaling by its older name; of the newest files, where the parameters of a layer stand alone, by no name. */
const scalingOf = (config: Config): Config =>
  config.has('rope_type') ? config : config.part('rope_scaling');

function scaled(frequencies: Float64Array, scaling: Config): Float64Array {
  const type = scaling.text('rope_type') ?? scaling.text('type') ?? 'default';
  if (type === 'default') return frequencies;
  if (type === 'linear') return frequencies.map((f) => f / scaling.number('factor', 1));
  if (type === 'llama3') return frequencies.map((f) => llama3(f, scaling));
  throw svdError(
    'ERR_SVD_ARGUMENT',
    `rotaryOffset: the positions of this model are scaled by ${JSON.stringify(type)}, which depends on the length of the text; only default, linear and llama3 do not`,
  );
}

/** Llama 3.1: slow frequencies divided by `factor`, fast ones as they are, a smooth passage between. */
function llama3(f: number, scaling: Config): number {
  const factor = scaling.number('factor', 8);
  const low = scaling.number('low_freq_factor', 1);
  const high = scaling.number('high_freq_factor', 4);
  const turns = (scaling.number('original_max_position_embeddings', 8192) * f) / (2 * Math.PI);
  if (turns < low) return f / factor;
  if (turns > high) return f;
  const share = (turns - low) / (high - low);
  return (1 - share) * (f / factor) + share * f;
}
