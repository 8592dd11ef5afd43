import { test } from 'vitest';
import { conv2d, linear, lpDistance, matmul } from 'evenkeel/ops';
import * as convolution from '../reference/conv2d.ts';
import * as distance from '../reference/lp-distance.ts';
import * as product from '../reference/matmul.ts';
import { checkOp, type OpCase } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { close, products } from '../support/tolerance.ts';

const padded = { ...convolution.PLAIN, padding: [1, 1] as [number, number] };
const depthwise = { ...padded, groups: 4 };

// One small case of each family of products, with ragged edges and all gradients: what further stacks run of them, some
// of whose compilers take a second for a tile (src/cli/stacks.mjs). The tests of each op have all shapes.
const CASES: Record<string, OpCase> = {
  matmul: {
    inputs: [sample([19, 33], { seed: 1 }), sample([33, 21], { seed: 2 })],
    run: (a, b) => matmul(a, b),
    reference: (a, b) => product.matmul(a, b),
    gradient: (dy, a, b) => product.matmulGradient(dy, a, b),
    tolerance: products(33),
  },
  'matmul, a sum in parts': {
    inputs: [sample([3, 1030], { seed: 1 }), sample([1030, 5], { seed: 2 })],
    run: (a, b) => matmul(a, b),
    reference: (a, b) => product.matmul(a, b),
    tolerance: products(1030),
  },
  'linear with relu': {
    inputs: [sample([7, 33], { seed: 1 }), sample([5, 33], { seed: 2 }), sample([5], { seed: 3 })],
    run: (x, w, b) => linear(x, w, b, { activation: 'relu' }),
    reference: (x, w, b) => product.linear(x, w, b, true),
    gradient: (dy, x, w, b) => product.linearGradient(dy, x, w, b, true),
    tolerance: products(34),
  },
  conv2d: {
    inputs: [sample([2, 3, 7, 5], { seed: 1 }), sample([5, 3, 3, 3], { seed: 2 }), sample([5], { seed: 3 })],
    run: (x, w, b) => conv2d(x, w, b, { padding: 1 }),
    reference: (x, w, b) => convolution.conv2d(x, w, b, padded),
    gradient: (dy, x, w, b) => convolution.conv2dGradient(dy, x, w, b, padded),
    tolerance: products(70),
  },
  'conv2d, depthwise': {
    inputs: [sample([2, 4, 6, 6], { seed: 1 }), sample([4, 1, 3, 3], { seed: 2 }), sample([4], { seed: 3 })],
    run: (x, w, b) => conv2d(x, w, b, { padding: 1, groups: 4 }),
    reference: (x, w, b) => convolution.conv2d(x, w, b, depthwise),
    gradient: (dy, x, w, b) => convolution.conv2dGradient(dy, x, w, b, depthwise),
    tolerance: products(72),
  },
  'lpDistance, p = 8': {
    inputs: [sample([5, 13], { seed: 1 }), sample([7, 13], { seed: 2 })],
    run: (x, w) => lpDistance(x, w, null, { p: 8 }),
    reference: (x, w) => distance.lpDistance(x, w, 8),
    gradient: (dy, x, w) => distance.lpDistanceGradient(dy, x, w, 8),
    tolerance: close(1e-5, 1e-5),
    gradientTolerance: close(1e-4, 1e-4),
  },
  'lpDistance, p = infinity': {
    inputs: [sample([5, 13], { seed: 1 }), sample([7, 13], { seed: 2 })],
    run: (x, w) => lpDistance(x, w),
    reference: (x, w) => distance.lpDistance(x, w, Infinity),
    gradient: (dy, x, w) => distance.lpDistanceGradient(dy, x, w, Infinity),
    tolerance: close(1e-7, 0),
    gradientTolerance: products(7),
  },
};

test.each(Object.keys(CASES))('%s', (name) => checkOp(CASES[name]!));
