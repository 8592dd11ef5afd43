import kernel from '../../shaders/matmul.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { tileFor, tileVariant } from '../gpu/tiles.ts';
import { canMask, gradientFor, isRecording, record } from '../tensor/tape.ts';
import { empty, expectDType, expectRank, expectShape, type Tensor } from '../tensor/tensor.ts';

/** Layout of a product: which operand is stored transposed. */
export interface MatmulOptions {
  /** `a` is stored (k, m). Default: false. */
  transposeA?: boolean;
  /** `b` is stored (n, k). Default: false. */
  transposeB?: boolean;
}

/**
 * y = a b, a: (m, k) or (k, m) if transposeA; b: (k, n) or (n, k) if transposeB; y: (m, n). f32.
 * Throws ShapeError when the inner sizes differ.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  expectRank(a, 2, 'matmul: a');
  expectRank(b, 2, 'matmul: b');
  const y = product(a, b, { transposeA, transposeB });
  return record(
    'matmul',
    y,
    [a, b],
    (dy) => {
      // y = a b: da = dy b', db = a' dy; each of the four layouts is again one product without a copy.
      const da = a.tracksGrad ? (transposeA ? matmul(b, dy, { transposeA: transposeB, transposeB: true }) : matmul(dy, b, { transposeB: !transposeB })) : null;
      const db = b.tracksGrad ? (transposeB ? matmul(dy, a, { transposeA: true, transposeB: transposeA }) : matmul(a, dy, { transposeA: !transposeA })) : null;
      return [da, db];
    },
    { composed: true },
  );
}

/**
 * y = activation(x w' + b), x: (rows, in), w: (out, in), b: (out) or null; y: (rows, out). One kernel forward; backward
 * one for dw and db together and one for dx, which also masks it when x is the output of a relu.
 */
export function linear(x: Tensor, w: Tensor, b: Tensor | null = null, { activation = 'none' }: { activation?: 'none' | 'relu' } = {}): Tensor {
  const [, features] = expectRank(x, 2, 'linear: x');
  const [out, inFeatures] = expectRank(w, 2, 'linear: weight');
  if (features !== inFeatures) throw new ShapeError(`linear: x has shape [${x.shape}], weight [${w.shape}] takes ${inFeatures} features; give the layer ${features} inputs`);
  if (b) {
    expectDType(b, 'f32', 'linear: bias');
    expectShape(b, [out!], 'linear: bias');
  }
  if (activation === 'relu' && !b) throw new ShapeError('linear: activation relu is fused with the bias, got bias null; apply relu() after it');
  const y = product(x, w, { transposeB: true }, b ? { kind: activation === 'relu' ? 'biasRelu' : 'bias', extra: b } : undefined);
  y.maskable = activation === 'relu';
  return record('linear', y, b ? [x, w, b] : [x, w], (dy) => {
    const dz = activation === 'relu' ? unmasked(dy, y) : dy;
    let dw: Tensor | null = null;
    let db: Tensor | null = null;
    if (b?.tracksGrad || w.tracksGrad) {
      dw = gradientFor(w);
      if (b) db = gradientFor(b);
      product(dz, x, { transposeA: true }, undefined, dw, db);
    }
    const dx = x.tracksGrad ? product(dz, w, {}, canMask(x) ? { kind: 'mask', extra: x } : undefined) : null;
    if (dx) dx.isMasked = canMask(x);
    if (dz !== dy && !isRecording()) dz.dispose();
    return b ? [dx, dw, db] : [dx, dw];
  });
}

/** dy * (y > 0), unless whoever made dy did it already. */
export function unmasked(dy: Tensor, y: Tensor): Tensor {
  if (dy.isMasked) return dy;
  const dz = empty(dy.shape, { gpu: dy.gpu });
  kernel.combine({ m: 1, n: dy.size, k: 1, chunk: 1, parts: 1 }, { a: dy, extra: y, y: dz }, [dy.size], { EPILOGUE: 3 });
  return dz;
}

const EPILOGUES = { bias: 1, biasRelu: 2, mask: 3 };

interface Epilogue {
  kind: keyof typeof EPILOGUES;
  extra: Tensor;
}

/** Terms of one part when a long product with few outputs is split, and the most parts. */
const CHUNK = 256;
const MOST_PARTS = 64;

function product(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions, epilogue?: Epilogue, target?: Tensor, rowSum: Tensor | null = null): Tensor {
  for (const [t, name] of [[a, 'a'], [b, 'b']] as const) expectDType(t, 'f32', `matmul: ${name}`);
  const [m, k] = transposeA ? [a.shape[1]!, a.shape[0]!] : [a.shape[0]!, a.shape[1]!];
  const [n, kb] = transposeB ? [b.shape[0]!, b.shape[1]!] : [b.shape[1]!, b.shape[0]!];
  if (k !== kb) {
    throw new ShapeError(`matmul: a has shape [${a.shape}]${transposeA ? ' transposed' : ''}, b [${b.shape}]${transposeB ? ' transposed' : ''}: the inner sizes ${k} and ${kb} differ`);
  }
  const gpu = a.gpu;
  const y = target ?? empty([m, n], { gpu });
  const parts = rowSum ? 1 : partsFor(m, n, k, gpu.adapter.kind === 'software' ? 24 : 2048);
  const chunk = parts === 1 ? Math.max(1, k) : Math.ceil(k / parts / 4) * 4;
  const tile = tileFor(gpu, m, n, k, parts);
  const vector = { a: (transposeA ? m : k) % 4 === 0, b: (transposeB ? k : n) % 4 === 0, y: n % 4 === 0 };
  const variant = {
    ...tileVariant(tile),
    A_T: Number(transposeA),
    B_T: Number(transposeB),
    RAGGED_K: Number(k % 4 !== 0),
    ...(vector.a ? { ElementA: 'vec4f', readA: 'return a[i >> 2u];', readOneA: 'return a[i >> 2u][i & 3u];' } : {}),
    ...(vector.b ? { ElementB: 'vec4f', readB: 'return b[i >> 2u];' } : {}),
    ...(vector.y ? { ElementY: 'vec4f', writeY: 'y[i >> 2u] = v;' } : {}),
  };
  const last = epilogue ? { EPILOGUE: EPILOGUES[epilogue.kind] } : {};
  const extra = epilogue?.extra ?? a;
  const grid = [Math.ceil(n / tile.n), Math.ceil(m / tile.m), parts];
  if (rowSum) kernel.forwardWithRowSum({ m, n, k, chunk, parts }, { a, b, extra, y, rowSum }, grid, variant);
  else if (parts === 1) kernel.forward({ m, n, k, chunk, parts }, { a, b, extra, y }, grid, { ...variant, ...last });
  else {
    const partial = empty([parts, m, n], { gpu });
    kernel.forward({ m, n, k, chunk, parts }, { a, b, extra: a, y: partial }, grid, variant);
    kernel.combine({ m, n, k, chunk, parts }, { a: partial, extra, y }, [m * n], last);
    partial.dispose();
  }
  return y;
}

/** Parts of a split product: as many as it takes to keep the device busy when the outputs alone do not. */
function partsFor(m: number, n: number, k: number, wanted: number): number {
  const blocks = Math.ceil(m / 4) * Math.ceil(n / 4);
  if (blocks >= wanted || k < 2 * CHUNK) return 1;
  return Math.min(MOST_PARTS, Math.ceil(k / CHUNK), Math.ceil(wanted / blocks));
}
