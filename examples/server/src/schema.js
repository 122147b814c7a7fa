/** A matrix, or a batch of them: the name of a tensor, or its elements in row-major order. */
const matrix = {
  anyOf: [
    { type: 'string', maxLength: 1000 },
    {
      type: 'object',
      required: ['shape', 'data'],
      additionalProperties: false,
      properties: {
        shape: {
          type: 'array',
          minItems: 2,
          maxItems: 8,
          items: { type: 'integer', minimum: 0, maximum: 2 ** 31 },
        },
        data: { type: 'array', items: { type: 'number' } },
      },
    },
  ],
};

/** The body of POST /svd. */
export const svdBody = {
  type: 'object',
  required: ['a'],
  additionalProperties: false,
  properties: {
    a: matrix,
    b: { ...matrix, description: 'the second factor: a·b is decomposed' },
    rank: {
      type: 'integer',
      minimum: 0,
      description: 'of a product: only its leading singular triplets, this many',
    },
    vectors: { type: 'boolean', description: 'U and Vh as well' },
  },
  dependencies: { rank: ['b'] },
};
