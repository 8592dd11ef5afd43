import kernel from '../../shaders/mean-shift.wgsl';
import { between, boolean, checkOptions } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { elementsOf, elementwise } from '../tensor/elementwise.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad, record } from '../tensor/tape.ts';
import { empty, expectDType, expectShape, type Tensor } from '../tensor/tensor.ts';
import { mean } from './reduce.ts';

/** Training or evaluation, as torch's batch_norm. */
export interface MeanShiftOptions {
  /**
   * Subtract the mean of this batch and move the running mean, instead of subtracting the running mean. Default: false.
   */
  training?: boolean;
  /** How far the running mean moves towards that of the batch. Default: 0.1. */
  momentum?: number;
}

const MEAN_SHIFT = { training: boolean, momentum: between(0, 1) } as const;

/**
 * x less its mean for each channel: what l_infinity-distance nets normalise with. x: (batch, channels, ...) f32;
 * runningMean: (channels). When training, the mean over all axes but the second is subtracted, its gradient flows
 * through it, and runningMean becomes (1 - momentum) runningMean + momentum mean, in place on the device; else
 * runningMean is subtracted and is a constant. Zhang et al., ICML 2021, MeanShift of the authors' second code.
 * Throws ShapeError when shapes do not fit or there is nothing to take the mean of, RangeError unless 0 <= momentum <=
 * 1.
 */
export function meanShift(x: Tensor, runningMean: Tensor, options: MeanShiftOptions = {}): Tensor {
  checkOptions('meanShift', options, MEAN_SHIFT);
  const { training = false, momentum = 0.1 } = options;
  expectDType(x, 'f32', 'meanShift: x');
  expectDType(runningMean, 'f32', 'meanShift: runningMean');
  if (x.rank < 2) throw new ShapeError(`meanShift: x has shape [${x.shape}], expected at least two axes`);
  expectShape(runningMean, [x.shape[1]!], 'meanShift: runningMean');
  if (!training) return record('meanShift', shift(x, runningMean), [x], { gradient: (dy) => [dy] });
  if (x.size === 0) throw new ShapeError(`meanShift: x has shape [${x.shape}], a mean needs at least one element`);
  return centre(x, { runningMean, momentum });
}

/** x - mean; the Jacobian is symmetric, so the gradient is dy - mean(dy). */
function centre(x: Tensor, running: { runningMean: Tensor; momentum: number } | null): Tensor {
  const average = noGrad(() => mean(x, { axes: x.shape.map((_, i) => i).filter((i) => i !== 1) }));
  const y = shift(x, average, running);
  average.dispose();
  return record('meanShift', y, [x], { gradient: (dy) => [centre(dy, null)] });
}

function shift(x: Tensor, average: Tensor, running: { runningMean: Tensor; momentum: number } | null = null): Tensor {
  const y = empty(x.shape, { gpu: x.gpu });
  const [batch, channels] = x.shape as [number, number];
  const length = sizeOf(x.shape.slice(2));
  if (running) {
    const { runningMean, momentum } = running;
    kernel.forward({ size: x.size, channels, length, momentum }, { x, mean: average, y, running: runningMean }, [
      x.size,
    ]);
  } else {
    const axes = [length, 0, channels, 1, batch, 0];
    const operands = { x: elementsOf(x), mean: { type: 'f32', from: average, axes } } as const;
    elementwise('meanShift', 'x - mean', operands, elementsOf(y), x.size);
  }
  return y;
}
