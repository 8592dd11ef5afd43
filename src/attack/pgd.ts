import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, div, mul } from '../ops/binary.ts';
import { greater, logicalNot, logicalOr } from '../ops/compare.ts';
import { crossEntropy } from '../ops/cross-entropy.ts';
import { neg, sign } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { key, splitKey, type Key } from '../random/key.ts';
import { normal, uniform } from '../random/random.ts';
import { copyOver } from '../tensor/copy.ts';
import type { ArrayInput, LabelsInput } from '../tensor/array-input.ts';
import { gradients, noGrad, requireGrad, withGrad } from '../tensor/tape.ts';
import { zeros, type Tensor } from '../tensor/tensor.ts';
import {
  PER_CHANNEL,
  channelwise,
  clipped,
  cut,
  lengths,
  projected,
  scaledBy,
  type Ball,
  type PerChannel,
} from './ball.ts';
import { perSample, expectWay, judged, kept, ranked, steady, type AttackedModel } from './model.ts';
import { underAttack, type Attacked } from './under-attack.ts';

/** Options of {@link fgsm}. */
export interface FgsmOptions extends Omit<Ball, 'norm'> {
  /** The labels are classes to reach, not to leave. Default: false. */
  targeted?: boolean;
}

/** Options of {@link pgd}. */
export interface PgdOptions extends FgsmOptions, Ball {
  /** Default: 20. */
  steps?: number;
  /** Length of a step, or for 'linf' one for each channel. Default: eps / 4. */
  stepSize?: PerChannel;
  /** Runs from different starts, of which each sample keeps the one of largest loss. Default: 1. */
  restarts?: number;
  /**
   * 'uniform': in the eps-box (l2: a random direction at eps). 'normal': normal of deviation eps / 4 cut at eps / 2, of
   * the l_infinity-distance net code. 'none': at x. Or the start itself. Default: 'uniform'.
   */
  start?: 'uniform' | 'normal' | 'none' | Tensor;
  /**
   * Whether a step is projected to the ball before it is clipped to the interval, or after, as in SmoothAdv. Default:
   * 'before'.
   */
  project?: 'before' | 'after';
  /** Of the starts. Default: 0. */
  seed?: number;
  signal?: AbortSignal;
}

/**
 * One step of length eps along the sign of the gradient of the cross-entropy. Goodfellow, Shlens and Szegedy, ICLR
 * 2015. The caller owns the result.
 */
export function fgsm(model: AttackedModel, x: ArrayInput, labels: LabelsInput, options: FgsmOptions): Promise<Tensor> {
  expectOptions('fgsm', options, ['eps', 'clip', 'targeted']);
  const { eps, clip = [0, 1], targeted = false } = options;
  return pgd(model, x, labels, { eps, clip, targeted, steps: 1, stepSize: eps, start: 'none' });
}

/**
 * Projected gradient ascent on the cross-entropy of each sample inside the ball of radius eps around x; the model is in
 * evaluation mode. Madry et al., ICLR 2018. A sample whose gradient is zero stays where it is in that step (SmoothAdv's
 * code moves it at random). Nothing is read back but the labels and flags; the caller owns the result, of x's shape.
 * A sample stays where it is while its gradient is NaN or infinite; unless it gets another class all the same, a
 * NonFiniteError names it. Throws RangeError on a bad option, a label outside the classes or where x lies outside
 * `clip`, ShapeError when the start does not fit, unless there is a label for each sample, or when the model gives no
 * (n, classes).
 */
export function pgd(model: AttackedModel, x: ArrayInput, labels: LabelsInput, options: PgdOptions): Promise<Tensor> {
  expectOptions('pgd', options, [
    'eps',
    'norm',
    'clip',
    'targeted',
    'steps',
    'stepSize',
    'restarts',
    'start',
    'project',
    'seed',
    'signal',
  ]);
  return underAttack('pgd', model, [x, labels], options, {
    check: (on) => checkInputs(on, options),
    attack: (attacked) => ascend(attacked, options),
  });
}

async function ascend({ model, x, labels, expectGoing }: Attacked, options: PgdOptions): Promise<Tensor> {
  const { eps, steps = 20, stepSize = scaledBy(eps, 1 / 4), restarts = 1, start = 'uniform', seed = 0 } = options;
  const root = splitKey(key(seed), START);
  let best: Candidate | null = null;
  let now: Tensor | null = null;
  const isLost = kept(() => zeros([x.shape[0]!], { dtype: 'bool', gpu: x.gpu }));
  try {
    for (let run = 0; run < restarts; run++) {
      now = kept(() => begin(x, start, splitKey(root, run), options));
      for (let i = 0; i < steps; i++) {
        expectGoing();
        const before: Tensor = now!;
        now = kept(() => advance(model, x, before, labels, stepSize, isLost, options));
        before.dispose();
        // A bounded queue keeps an abort prompt.
        if (i % 8 === 7) await x.gpu.sync();
      }
      if (restarts === 1) break;
      const found: Tensor = now!;
      const last: Candidate | null = best;
      best = kept((): Candidate => better(model, found, last, labels, options.targeted === true));
      found.dispose();
      now = null;
      last?.x.dispose();
      last?.loss.dispose();
    }
    const result = now ?? best!.x;
    await expectWay('pgd', isLost, () => kept(() => noGrad(() => succeeded(model, result, labels, options))));
    best?.loss.dispose();
    return result;
  } catch (error) {
    now?.dispose();
    best?.x.dispose();
    best?.loss.dispose();
    throw error;
  } finally {
    isLost.dispose();
  }
}

/** The best points so far and their losses. */
interface Candidate {
  x: Tensor;
  loss: Tensor;
}

/** The child of a seed's key that attacks draw from; training runs use others (PURPOSE of random/key.ts). */
const START = 101;

function begin(x: Tensor, start: PgdOptions['start'], from: Key, options: PgdOptions): Tensor {
  const { eps, norm = 'linf' } = options;
  const { gpu, shape } = x;
  if (typeof start === 'object') return start.detach();
  if (start === 'none') return add(x, 0);
  if (start === 'normal')
    return clipped(
      add(
        x,
        cut(
          mul(normal(shape, from, { gpu }), channelwise(scaledBy(eps, 1 / 4), x)),
          scaledBy(eps, -1 / 2),
          scaledBy(eps, 1 / 2),
        ),
      ),
      options,
    );
  if (norm === 'linf') {
    const shift =
      typeof eps === 'number'
        ? uniform(shape, from, { low: -eps, high: eps, gpu })
        : mul(uniform(shape, from, { low: -1, high: 1, gpu }), channelwise(eps, x));
    return clipped(add(x, shift), options);
  }
  const direction = normal(shape, from, { gpu });
  return clipped(add(x, mul(div(direction, add(lengths(direction), 1e-12)), channelwise(eps, x))), options);
}

function advance(
  model: AttackedModel,
  x: Tensor,
  before: Tensor,
  labels: Tensor<'i32'>,
  stepSize: PerChannel,
  isLost: Tensor<'bool'>,
  options: PgdOptions,
): Tensor {
  const { norm = 'linf', project = 'before', targeted = false } = options;
  const at = requireGrad(before.detach());
  const loss = withGrad(() => crossEntropy(model.forward(at), labels, { reduction: 'sum' }));
  const [raw] = gradients(loss, [at]) as [Tensor];
  return noGrad(() => {
    const { slope, isLost: isLostHere } = steady(raw);
    copyOver(logicalOr(isLost, isLostHere), isLost);
    const uphill = targeted ? neg(slope) : slope;
    const direction = norm === 'linf' ? sign(uphill) : div(uphill, add(lengths(uphill), 1e-12));
    const moved = add(before, mul(direction, channelwise(stepSize, x)));
    return project === 'before'
      ? clipped(projected(x, moved, options), options)
      : projected(x, clipped(moved, options), options);
  });
}

/** For each sample the point of larger loss; the earlier one of equals. */
function better(
  model: AttackedModel,
  found: Tensor,
  best: Candidate | null,
  labels: Tensor<'i32'>,
  targeted: boolean,
): Candidate {
  return noGrad(() => {
    const logits = model.forward(found);
    const plain = crossEntropy(logits, labels, { reduction: 'none' });
    const loss = ranked(targeted ? neg(plain) : plain, judged(logits, labels).isLost);
    if (!best) return { x: found.detach(), loss };
    const wins = greater(loss, best.loss);
    return { x: where(perSample(wins, found), found, best.x), loss: where(wins, loss, best.loss) };
  });
}

/** Which samples the attack has brought where it should: to another class, or to the one it aims at. */
function succeeded(
  model: AttackedModel,
  found: Tensor,
  labels: Tensor<'i32'>,
  { targeted = false }: PgdOptions,
): Tensor<'bool'> {
  const { isFooled, isLost } = judged(model.forward(found), labels);
  return targeted ? logicalNot(logicalOr(isFooled, isLost)) : isFooled;
}

function checkInputs(x: Tensor, options: PgdOptions): void {
  const { steps = 20, stepSize = 0, restarts = 1, start } = options;
  if (Array.isArray(stepSize) && stepSize.length !== x.shape[1])
    throw new RangeError(
      `pgd: stepSize has ${stepSize.length} entries, expected ${x.shape[1]}, one for each channel of [${x.shape}]`,
    );
  check('pgd', { stepSize, steps, restarts }, { stepSize: PER_CHANNEL, steps: integer(1), restarts: integer(1) });
  if (typeof start === 'object' && start.shape.join() !== x.shape.join())
    throw new ShapeError(`pgd: start has shape [${start.shape}], expected [${x.shape}]`);
}
