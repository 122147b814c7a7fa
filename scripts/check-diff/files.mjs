import { writeFileSync } from 'node:fs';

const codes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' };

/** Writes matrices `{ data, shape, dtype }`, whose numbers the dtype has, as safetensors. */
export function writeWeights(path, tensors) {
  const header = {};
  const parts = [];
  let end = 0;
  for (const [name, { data, shape, dtype }] of tensors) {
    const bytes = encode(data, dtype);
    header[name] = { dtype: codes[dtype], shape, data_offsets: [end, end + bytes.length] };
    end += bytes.length;
    parts.push(bytes);
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([length, json, ...parts]));
}

function encode(data, dtype) {
  if (dtype === 'float32') return Buffer.from(Float32Array.from(data).buffer);
  const bits = dtype === 'bfloat16' ? bfloat16Bits : float16Bits;
  return Buffer.from(Uint16Array.from(data, bits).buffer);
}

const single = new Float32Array(1);
const word = new Uint32Array(single.buffer);

function bfloat16Bits(x) {
  single[0] = x;
  return word[0] >>> 16;
}

function float16Bits(x) {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const size = Math.abs(x);
  if (size < 2 ** -14) return sign | Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  const whole = size / 2 ** exponent >= 2 ? exponent + 1 : exponent;
  return sign | ((whole + 15) << 10) | Math.round((size / 2 ** whole - 1) * 1024);
}
