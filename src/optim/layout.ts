import { ShapeError } from '../gpu/errors.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { ParameterArena } from './optimizer.ts';

/** One parameter inside an arena. */
export interface Segment {
  readonly name: string;
  readonly shape: readonly number[];
  /** First element, a multiple of 64. */
  readonly start: number;
  readonly size: number;
  readonly isTrained: boolean;
}

/** Elements that one word of a block table speaks for; lib/optimizer.wgsl agrees. */
const BLOCK = 64;
const TRAINED = 1;
const DECAYED = 2;

/** The parameters of an arena, as they are now. Throws ShapeError when its memory does not fit an optimiser. */
export function segmentsOf({ values, grads, parameters }: ParameterArena): Segment[] {
  if (values.size !== grads.size || values.size % 4 !== 0) {
    throw new ShapeError(
      `optimiser: the arena has ${values.size} values and ${grads.size} gradients, expected equal multiples of 4`,
    );
  }
  if (!parameters) return [{ name: '', shape: values.shape, start: 0, size: values.size, isTrained: true }];
  return [...parameters].map(([name, p]) => {
    if (p.offset % BLOCK !== 0)
      throw new ShapeError(`optimiser: ${name} starts at ${p.offset}, expected a multiple of ${BLOCK}`);
    return { name, shape: p.shape, start: p.offset, size: p.size, isTrained: p.requiresGrad };
  });
}

/**
 * One word for each 64 elements: whether they are trained, whether weight decay applies, and the number of their
 * parameter. This is how one dispatch over an arena tells parameters apart.
 */
export function blockTable(
  { values }: ParameterArena,
  segments: readonly Segment[],
  decays: (name: string) => boolean = () => true,
): Tensor<'u32'> {
  const words = new Uint32Array(Math.ceil(values.size / BLOCK));
  segments.forEach(({ name, start, size, isTrained }, i) => {
    words.fill(
      (i << 2) | (isTrained ? TRAINED : 0) | (decays(name) ? DECAYED : 0),
      start / BLOCK,
      Math.ceil((start + size) / BLOCK),
    );
  });
  return tensor(words, { dtype: 'u32', gpu: values.gpu });
}
