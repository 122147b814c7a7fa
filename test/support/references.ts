import { readFileSync } from 'node:fs';

/** A row-major matrix as every function of the package takes it; `data` is a Float32Array or Float64Array by dtype. */
export interface StoredMatrix {
  data: Float32Array | Float64Array;
  shape: [number, number];
}

export interface Factors {
  A: StoredMatrix;
  B: StoredMatrix;
}

interface Reference {
  name: string;
  dtype: 'float32' | 'float64';
}

/** A·B of exactly the stored numbers: its min(l, k, r) largest singular values, ‖A·B‖_F and β = Σ‖a_j‖·‖b_j‖. */
export interface ProductReference extends Reference, Factors {
  singularValues: Float64Array;
  norm: number;
  beta: number;
}

/** All singular values and ‖matrix‖_F. */
export interface DenseReference extends Reference {
  matrix: StoredMatrix;
  singularValues: Float64Array;
  norm: number;
}

/** Eigenvalues of B·A: falling modulus, of a conjugate pair the one above the real axis first. */
export interface EigenvalueReference extends Reference, Factors {
  eigenvalues: { real: Float64Array; imag: Float64Array };
}

/** ‖first‖_F, ‖second‖_F and ‖first − second‖_F of two products. */
export interface DistanceReference extends Reference {
  first: Factors;
  second: Factors;
  norms: Float64Array;
  distance: number;
}

/** Of exactly the stored numbers; matrices row by row. */
export interface SolutionReference extends Reference {
  a: StoredMatrix;
  b: StoredMatrix;
  /** Those that are not 0. */
  singularValues: Float64Array;
  /** a⁺ */
  inverse: Float64Array;
  /** a⁺·b */
  x: Float64Array;
  /** ‖b − a·x‖² of every column */
  squares: Float64Array;
  /** The best approximation of rank 2, and the Frobenius norm of what it leaves. */
  ofRank2: Float64Array;
  left: number;
}

/*
 * The files hold the inputs as numbers that round-trip and the answers as decimals of 25 digits, made by
 * scripts/reference/make_references.py. Each answer below is the double nearest to the exact one.
 */
export const productReferences: ProductReference[] = read('products').map((json) => ({
  ...named(json),
  ...factors(json, json.dtype),
  singularValues: doubles(json.singularValues),
  norm: Number(json.norm),
  beta: Number(json.beta),
}));

/**
 * Products A₀·D₁·D₂·B₀ with well-conditioned A₀ and B₀ of several shapes, D₁ and D₂ of powers of two from 1e-12 to 1e12 or 1.
 * Their numbers are exact in both dtypes.
 */
export const gradedReferences: ProductReference[] = read('graded').flatMap((family) =>
  (['float64', 'float32'] as const).flatMap((dtype) =>
    family.cases.map((json: Json) => ({
      name: `${dtype === 'float32' ? 'float32, ' : ''}${family.name}: ${json.name}`,
      dtype,
      A: matrix(
        scaled(family.A, (_, j) => json.columns[j]),
        dtype,
      ),
      B: matrix(
        scaled(family.B, (i) => json.rows[i]),
        dtype,
      ),
      singularValues: doubles(json.singularValues),
      norm: Number(json.norm),
      beta: Number(json.beta),
    })),
  ),
);

export const denseReferences: DenseReference[] = read('dense').map((json) => ({
  ...named(json),
  matrix: matrix(json.matrix, json.dtype),
  singularValues: doubles(json.singularValues),
  norm: Number(json.norm),
}));

export const eigenvalueReferences: EigenvalueReference[] = read('eigenvalues').map((json) => ({
  ...named(json),
  ...factors(json, json.dtype),
  eigenvalues: { real: doubles(json.eigenvalues.real), imag: doubles(json.eigenvalues.imag) },
}));

export const distanceReferences: DistanceReference[] = read('distances').map((json) => ({
  ...named(json),
  first: factors(json.first, json.dtype),
  second: factors(json.second, json.dtype),
  norms: doubles(json.norms),
  distance: Number(json.distance),
}));

export const solutionReferences: SolutionReference[] = read('solutions').map((json) => ({
  ...named(json),
  a: matrix(json.a, json.dtype),
  b: matrix(json.b, json.dtype),
  singularValues: doubles(json.singularValues),
  inverse: doubles(json.inverse),
  x: doubles(json.x),
  squares: doubles(json.squares),
  ofRank2: doubles(json.ofRank2),
  left: Number(json.left),
}));

// biome-ignore lint/suspicious/noExplicitAny: the fields of the six files are those read above.
type Json = any;

function read(file: string): Json[] {
  return JSON.parse(readFileSync(new URL(`../fixtures/${file}.json`, import.meta.url), 'utf8'));
}

function named({ name, dtype }: Json): Reference {
  return { name, dtype };
}

function factors({ A, B }: Json, dtype: Reference['dtype']): Factors {
  return { A: matrix(A, dtype), B: matrix(B, dtype) };
}

function matrix({ data, shape }: Json, dtype: Reference['dtype']): StoredMatrix {
  return { data: dtype === 'float32' ? Float32Array.from(data) : Float64Array.from(data), shape };
}

/** Every element times 2^exponent(row, column). */
function scaled({ data, shape }: Json, exponent: (i: number, j: number) => number): Json {
  const cols = shape[1];
  return {
    shape,
    data: data.map((x: number, e: number) => x * 2 ** exponent(Math.floor(e / cols), e % cols)),
  };
}

function doubles(decimals: string[]): Float64Array {
  return Float64Array.from(decimals, Number);
}
