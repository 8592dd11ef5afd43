import kernel from '../../shaders/pad.wgsl';
import { any, checkOptions, oneOf } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, expectDType, type Tensor } from '../tensor/tensor.ts';

/** What is added around a tensor. */
export interface PadOptions {
  /**
   * 'constant': `value`; 'reflect': the elements next to the edge, mirrored about it; 'replicate': the edge itself;
   * 'circular': the elements from the other end. Default: 'constant'.
   */
  mode?: 'constant' | 'reflect' | 'replicate' | 'circular';
  /** Default: 0. */
  value?: number;
}

type Mode = NonNullable<PadOptions['mode']>;
const MODES: readonly Mode[] = ['constant', 'reflect', 'replicate', 'circular'];
const PAD = { mode: oneOf(...MODES), value: any } as const;

/**
 * x with elements added before and after its last axes, as PyTorch's pad: `pads` is [before, after] of the last axis,
 * then of the one before it, and so on, of at most four axes. A negative number cuts elements off. 'reflect' adds fewer
 * than the axis has, 'circular' at most as many.
 */
export function pad(x: Tensor, pads: readonly number[], options: PadOptions = {}): Tensor {
  checkOptions('pad', options, PAD);
  const { mode = 'constant', value = 0 } = options;
  expectDType(x, 'f32', 'pad: x');
  const axes = pads.length / 2;
  if (!Number.isInteger(axes) || axes > Math.min(4, x.rank) || !pads.every(Number.isInteger)) {
    throw new ShapeError(
      `pad: pads are [${pads}], ` +
        `expected two integers for each of at most ${Math.min(4, x.rank)} axes of x [${x.shape}]`,
    );
  }
  const before = x.shape.map((_, a) => pads[2 * (x.rank - 1 - a)] ?? 0);
  const after = x.shape.map((_, a) => pads[2 * (x.rank - 1 - a) + 1] ?? 0);
  x.shape.forEach((d, a) => {
    const most = { constant: Infinity, reflect: Math.max(0, d - 1), replicate: d > 0 ? Infinity : 0, circular: d }[
      mode
    ];
    if (d + Math.min(0, before[a]!) + Math.min(0, after[a]!) < 0)
      throw new ShapeError(`pad: pads are [${pads}], which cut more off axis ${a} of x [${x.shape}] than it has`);
    if (Math.max(before[a]!, after[a]!) > most)
      throw new ShapeError(`pad: pads are [${pads}], ${mode} adds at most ${most} to axis ${a} of x [${x.shape}]`);
  });
  return padded(x, before, after, mode, value);
}

function padded(x: Tensor, before: readonly number[], after: readonly number[], mode: Mode, value: number): Tensor {
  const y = empty(
    x.shape.map((d, a) => d + before[a]! + after[a]!),
    { gpu: x.gpu },
  );
  const last = (of: readonly number[], fill: number): number[] => [...new Array<number>(4).fill(fill), ...of].slice(-4);
  kernel.forward(
    { size: y.size, inner: 1, value, shapeX: last(x.shape, 1), shapeY: last(y.shape, 1), before: last(before, 0) },
    { x, y },
    [y.size],
    { MODE: MODES.indexOf(mode) },
  );
  return record('pad', y, [x], {
    gradient: (dy) => {
      // Cutting off is the transpose of adding constants; the other modes go back one axis at a time.
      if (mode === 'constant')
        return [
          padded(
            dy,
            before.map((n) => -n),
            after.map((n) => -n),
            'constant',
            0,
          ),
        ];
      let dx = dy;
      x.shape.forEach((length, axis) => {
        if (before[axis] === 0 && after[axis] === 0) return;
        dx = returned(dx, axis, length, before[axis]!, mode);
      });
      return [dx];
    },
  });
}

/** The transpose of {@link padded} along one axis, which gets its `length` back. */
function returned(dy: Tensor, axis: number, length: number, before: number, mode: Mode): Tensor {
  const out = dy.shape[axis]!;
  const dx = empty(
    dy.shape.map((d, a) => (a === axis ? length : d)),
    { gpu: dy.gpu },
  );
  const params = {
    size: dx.size,
    inner: sizeOf(dy.shape.slice(axis + 1)),
    value: 0,
    shapeX: [1, 1, 1, length],
    shapeY: [1, 1, 1, out],
    before: [0, 0, 0, before],
  };
  kernel.backwardAxis(params, { x: dy, y: dx }, [dx.size], { MODE: MODES.indexOf(mode) });
  const along = (n: number): number[] => dx.shape.map((_, a) => (a === axis ? n : 0));
  return record('pad (gradient)', dx, [dy], {
    gradient: (d) => [padded(d, along(before), along(out - length - before), mode, 0)],
  });
}
