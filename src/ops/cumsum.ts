import kernel from '../../shaders/cumsum.wgsl';
import { expectOptions } from '../check/options.ts';
import { record } from '../tensor/tape.ts';
import { empty, type Tensor } from '../tensor/tensor.ts';
import { axisOf } from './arguments.ts';
import { expectOneOf, NUMERIC, type Numeric } from './element.ts';

/** Direction of a running sum. */
export interface CumsumOptions {
  /** Default: the last. */
  axis?: number;
  /** Leave out the element itself: the sum starts with 0. Default: false. */
  exclusive?: boolean;
  /** Sum from the end. Default: false. */
  reverse?: boolean;
}

/** What a piece reads and writes. */
type Buffers = Record<'x' | 'before' | 'y', Tensor<Numeric>>;

/** Spans of a tile of the shader, and the most elements of one. */
const [SPANS, MOST] = [64, 8];
/** With so many rows each is one piece. */
const MANY = 256;
/** Neighbouring columns whose loads the hardware joins to one, and the shortest axis that is worth a workgroup. */
const [WIDE, SHORT] = [32, 64];

/**
 * Running sum along an axis, of f32 or of integers, which wrap around. A fixed order of additions for each shape, whose
 * error grows with the square root of the length at most.
 */
export function cumsum<D extends Numeric>(x: Tensor<D>, options: CumsumOptions = {}): Tensor<D> {
  expectOptions('cumsum', options, ['axis', 'exclusive', 'reverse']);
  const { axis = -1, exclusive = false, reverse = false } = options;
  expectOneOf(x, NUMERIC, 'cumsum: x');
  const { outer, length, inner } = axisOf('cumsum', x, axis);
  const { dtype, gpu } = x;
  const y = empty(x.shape, { dtype, gpu });
  const launch = (of: { length: number; chunk: number; parts: number }, buffers: Buffers, variant: object): void => {
    const pieces = outer * of.parts * inner;
    const { sharesUnder } = gpu.tuning;
    const shares = sharesUnder > 0 && of.length > SHORT && (inner < WIDE || pieces < sharesUnder);
    const [entry, lanes] = shares ? (['shared_', 64] as const) : (['alone', 1] as const);
    kernel[entry]({ outer, inner, ...of }, buffers, [lanes * pieces], { Element: dtype, ...variant });
  };
  // Pieces of about sqrt(length), in tiles: as much work for each of them as for the sum over them.
  const isLong = length > SPANS * MOST && outer * inner < MANY;
  const span = isLong ? Math.min(MOST, Math.max(2, 2 ** Math.ceil(Math.log2(Math.sqrt(length) / SPANS)))) : MOST;
  const tile = SPANS * span;
  const chunk = isLong ? tile * Math.ceil(Math.sqrt(length) / tile) : length;
  const parts = length > 0 ? Math.ceil(length / chunk) : 0;
  const [whole, direction] = [
    { length, chunk, parts },
    { REVERSE: Number(reverse), SPAN: span },
  ];
  const forward = { ...direction, EXCLUSIVE: Number(exclusive) };
  if (parts <= 1) launch(whole, { x, before: x, y }, forward);
  else {
    const sums = empty([outer, parts, inner], { dtype, gpu });
    const before = empty(sums.shape, { dtype, gpu });
    launch(whole, { x, before: x, y: sums }, { ...direction, TOTALS: 1 });
    launch({ length: parts, chunk: parts, parts: 1 }, { x: sums, before: sums, y: before }, { EXCLUSIVE: 1 });
    launch(whole, { x, before, y }, { ...forward, BEFORE: 1 });
    sums.dispose();
    before.dispose();
  }
  return record('cumsum', y, [x], {
    gradient: (dy) => [cumsum(dy, { axis, exclusive, reverse: !reverse })],
  });
}
