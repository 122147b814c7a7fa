import { isProduct } from './cases.mjs';

/**
 * Who is timed: `command` runs one trial of a case in a fresh process, which prints the seconds of one computation, the
 * median of half a second of them after half a second to warm up. `takes` says which cases it can do in reasonable time.
 * @typedef {{ name: string, command: string[], takes: (c: import('./cases.mjs').Case) => boolean, needs?: string[] }} Contender
 */

const node = (trial) => [process.execPath, new URL(`./trials/${trial}.mjs`, import.meta.url).pathname];
const python = (trial) => [
  process.env.PYTHON ?? 'python3',
  new URL(`./trials/${trial}.py`, import.meta.url).pathname,
];
const small = ({ n, l, r }) => n * l * r * Math.min(l, r) <= 5e7;

/** @type {Contender[]} */
export const contenders = [
  { name: 'factored-svd', command: node('factored-svd'), takes: () => true },
  { name: 'gemm limit', command: node('gemm-limit'), takes: isProduct },
  { name: 'torch, three SVDs', command: python('torch_three_svd'), takes: isProduct, needs: ['torch'] },
  { name: 'scipy gesdd', command: python('scipy_gesdd'), takes: (c) => !isProduct(c), needs: ['scipy'] },
  { name: 'numpy svd', command: python('numpy_svd'), takes: (c) => !isProduct(c), needs: ['numpy'] },
  { name: 'ml-matrix', command: node('ml-matrix'), takes: (c) => !isProduct(c) && small(c) },
  { name: 'svd-js', command: node('svd-js'), takes: (c) => !isProduct(c) && small(c) },
  { name: 'numpy-ts', command: node('numpy-ts'), takes: (c) => !isProduct(c) && small(c) },
];
