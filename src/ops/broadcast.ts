import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes, broadcastStrides } from '../tensor/shape.ts';
import type { DType } from '../tensor/dtype.ts';
import { Tensor } from '../tensor/tensor.ts';
import type { Operand } from './element.ts';

/** Axes that the kernels can tell apart, counted after neighbours were joined. */
const MAX_AXES = 8;

/** How operands lie along their joint shape. */
export interface Broadcast {
  readonly shape: readonly number[];
  /** Size and the stride in each operand of the axes that the kernel steps through, the last first; at least one. */
  readonly axes: readonly (readonly number[])[];
}

/**
 * The joint shape of up to three operands, or the wider `shape`, and the strides of each. Throws a ShapeError when they
 * do not fit.
 */
export function broadcast(op: string, operands: readonly Operand<DType>[], shape?: readonly number[]): Broadcast {
  const shapes = operands.map((v) => (v instanceof Tensor ? v.shape : []));
  const joint = shape ?? shapes.reduce<readonly number[] | null>((s, next) => s && broadcastShapes(s, next), []);
  if (!joint)
    throw new ShapeError(
      `${op}: shapes ${listed(shapes)} do not broadcast; sizes must be equal or 1, counted from the last axis`,
    );
  const axes = mergedAxes(
    joint,
    shapes.map((s) => broadcastStrides(s, joint)),
  );
  if (axes.length > MAX_AXES)
    throw new ShapeError(
      `${op}: broadcasting ${listed(shapes)} needs ${axes.length} separate axes, at most ${MAX_AXES} are ` +
        'supported; reshape or expand first',
    );
  return { shape: joint, axes };
}

/** Size and stride of each axis for one operand. */
export function axesOf({ axes }: Broadcast, operand: number): number[] {
  return axes.flatMap((axis) => [axis[0]!, axis[1 + operand]!]);
}

function listed(shapes: readonly (readonly number[])[]): string {
  const names = shapes.map((s) => `[${s}]`);
  return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
}

/**
 * The axes of `shape` from the last to the first, each with its strides; axes of size 1 dropped, neighbours that no
 * operand jumps between joined.
 */
export function mergedAxes(shape: readonly number[], strides: readonly (readonly number[])[]): number[][] {
  const axes: number[][] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 1) continue;
    const last = axes.at(-1);
    if (last && strides.every((s, k) => s[i] === last[k + 1]! * last[0]!)) last[0]! *= shape[i]!;
    else axes.push([shape[i]!, ...strides.map((s) => s[i]!)]);
  }
  return axes.length > 0 ? axes : [[1, 0, 0, 0]];
}
