import { expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import { shiftFlip } from 'evenkeel/ops';
import * as reference from '../reference/shift-flip.ts';
import { checkLinearTwice } from '../support/check-linear.ts';
import { checkOp } from '../support/check-op.ts';
import { sample } from '../support/sample.ts';
import { exact } from '../support/tolerance.ts';

interface Case {
  x: number[];
  shift: number[];
  flip: number[];
}

const many = (count: number): Case => ({
  x: [count, 2, 5, 7],
  shift: Array.from({ length: 2 * count }, (_, i) => ((i * 7) % 9) - 4),
  flip: Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 1 : 0)),
});

const cases: Case[] = [
  { x: [0, 1, 4, 4], shift: [], flip: [] },
  { x: [1, 2, 0, 3], shift: [1, 1], flip: [1] },
  { x: [1, 1, 1, 1], shift: [0, 0], flip: [1] },
  { x: [1, 1, 3, 4], shift: [0, 0], flip: [0] },
  { x: [1, 1, 3, 4], shift: [0, 0], flip: [1] },
  { x: [1, 3, 3, 4], shift: [-1, 2], flip: [1] },
  { x: [2, 1, 31, 3], shift: [30, -2, -31, 0], flip: [0, 1] },
  { x: [1, 1, 2, 2], shift: [2 ** 30, -(2 ** 30)], flip: [1] },
  many(33),
];

const put = ({ shift, flip }: Case): [ReturnType<typeof tensor<'i32'>>, ReturnType<typeof tensor<'bool'>>] => [
  tensor(shift, { dtype: 'i32', shape: [flip.length, 2] }),
  tensor(flip, { dtype: 'bool' }),
];

test.each(cases)('of [$x], shift $shift, flip $flip', (c) =>
  checkOp({
    inputs: [sample(c.x)],
    run: (x) => shiftFlip(x, ...put(c)),
    reference: (x) => reference.shiftFlip(x, c.shift, c.flip),
    gradient: (dy) => [reference.shiftFlipGradient(dy, c.shift, c.flip)],
    tolerance: exact,
  }),
);

test('the gradient of the gradient', () => {
  const c = many(4);
  return checkLinearTwice(
    sample(c.x),
    (x) => shiftFlip(x, ...put(c)),
    (x) => reference.shiftFlip(x, c.shift, c.flip),
    (dy) => reference.shiftFlipGradient(dy, c.shift, c.flip),
  );
});

test('errors', () => {
  scope(() => {
    const x = tensor(new Float32Array(4), { shape: [1, 1, 2, 2] });
    const [shift, flip] = put({ x: [], shift: [0, 0], flip: [0] });
    expect(() => shiftFlip(tensor([1]), shift, flip)).toThrow('shiftFlip: x has shape [1], expected rank 4');
    expect(() => shiftFlip(x, tensor([0, 0], { dtype: 'i32' }), flip)).toThrow(
      'shiftFlip: shift has shape [2], expected [1,2]',
    );
    expect(() => shiftFlip(x, tensor([0, 0], { shape: [1, 2] }) as never, flip)).toThrow(
      'shiftFlip: shift is f32, expected i32',
    );
    expect(() => shiftFlip(x, shift, tensor([0, 1], { dtype: 'bool' }))).toThrow(
      'shiftFlip: flip has shape [2], expected [1]',
    );
    expect(() => shiftFlip(x, shift, tensor([0]) as never)).toThrow('shiftFlip: flip is f32, expected bool');
  });
});
