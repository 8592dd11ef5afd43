import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { add, div, maximum, mul, sub } from '../ops/binary.ts';
import { cast } from '../ops/cast.ts';
import { greater, less, lessEqual, logicalAnd, logicalNot, logicalOr, logicalXor } from '../ops/compare.ts';
import { crossEntropy } from '../ops/cross-entropy.ts';
import { oneHot } from '../ops/one-hot.ts';
import { max, sum } from '../ops/reduce.ts';
import { slice } from '../ops/slice.ts';
import { topk } from '../ops/sort.ts';
import { reshape } from '../ops/reshape.ts';
import { abs, neg, sign } from '../ops/unary.ts';
import { where } from '../ops/where.ts';
import { key, splitKey, type Key } from '../random/key.ts';
import { normal, uniform } from '../random/random.ts';
import { Captured, capture } from '../tensor/capture.ts';
import { copyOver } from '../tensor/copy.ts';
import type { DType } from '../tensor/dtype.ts';
import type { ArrayInput, LabelsInput } from '../tensor/array-input.ts';
import { gradients, noGrad, requireGrad, withGrad } from '../tensor/tape.ts';
import { empty, zeros, type Tensor } from '../tensor/tensor.ts';
import { apgdCheckpoints, apgdLimit, type ApgdRule } from './apgd-schedule.ts';
import { channelwise, clipped, itemAxes, lengths, projected, type Ball } from './ball.ts';
import { dlrLoss } from './dlr.ts';
import { perSample, expectWay, judged, LOWEST, kept, ranked, steady, type AttackedModel } from './model.ts';
import { underAttack, type Attacked } from './under-attack.ts';

/** Options of {@link apgd}. */
export interface ApgdOptions extends Ball {
  /**
   * What is raised: 'ce', the cross-entropy; 'dlr', {@link dlrLoss}, from 3 classes on. With the ending '-targeted',
   * towards one class after the other: -cross-entropy at that class, or the targeted dlrLoss, from 4 classes on.
   * Default: 'ce'.
   */
  loss?: 'ce' | 'dlr' | 'ce-targeted' | 'dlr-targeted';
  /**
   * Classes to aim at, by their place among the outputs of x other than the label: 1 is the largest. Default: 1 to 9,
   * as far as there are so many.
   */
  targetRanks?: readonly number[];
  /** Default: 100. */
  steps?: number;
  /** Runs from different starts (for each target); each sample keeps its best point. Default: 1. */
  restarts?: number;
  /** The paper's decisions on the step size, or those of the official code. Default: 'paper'. */
  rule?: ApgdRule;
  /** Of the starts. Default: 0. */
  seed?: number;
  signal?: AbortSignal;
}

/** What a run remembers of each sample, on the device. */
interface State {
  /** Point, the one before, and the gradient at the point. */
  now: Tensor;
  old: Tensor;
  slope: Tensor;
  /** Loss at the point. */
  loss: Tensor;
  /** The point of largest loss in this run. */
  best: Tensor;
  bestSlope: Tensor;
  bestLoss: Tensor;
  /** Its loss at the last checkpoint. */
  checkLoss: Tensor;
  /** Successful steps since then, and whether the step size was halved there. */
  rises: Tensor;
  wasHalved: Tensor<'bool'>;
  stepSize: Tensor;
  /** Of all runs: misclassified before classified right, then of largest loss. */
  found: Tensor;
  foundLoss: Tensor;
  isFound: Tensor<'bool'>;
  /** Whether outputs or a gradient were NaN or infinite at a point. */
  isLost: Tensor<'bool'>;
  /** Scalars that the host writes: weight of the gradient step, and successes that keep the step size. */
  weight: Tensor;
  limit: Tensor;
  target: Tensor<'i32'>;
}

const APGD = 102;

/**
 * Auto-PGD: ascent with momentum 0.75 on a loss of each sample inside the ball around x, whose step starts at 2 eps and
 * is halved at checkpoints ({@link apgdCheckpoints}) where under 75 % of the steps raised the loss, or where neither
 * the step size nor the largest loss has changed since the last checkpoint; then the sample goes on from its best
 * point. Croce and Hein, ICML 2020. Starts are random, scaled to the surface of the ball; the model is in evaluation
 * mode. Of all points seen, x included, each sample gets the misclassified one of largest loss, or, if there is none,
 * the one of largest loss. All decisions are taken on the device in captured steps and nothing is read back but the
 * labels and flags; the caller owns the result, of x's shape. Where outputs or a gradient are NaN or infinite, a sample
 * stays where it is, and a loss that is NaN is never the larger one; unless the sample is misclassified anyway, a
 * NonFiniteError names it. Throws RangeError on a bad option, a label outside the classes or where x lies outside
 * `clip`, ShapeError unless there is a label for each sample and the model gives (n, classes).
 */
export function apgd(model: AttackedModel, x: ArrayInput, labels: LabelsInput, options: ApgdOptions): Promise<Tensor> {
  expectOptions('apgd', options, [
    'eps',
    'norm',
    'clip',
    'loss',
    'targetRanks',
    'steps',
    'restarts',
    'rule',
    'seed',
    'signal',
  ]);
  const { steps = 100, restarts = 1 } = options;
  return underAttack('apgd', model, [x, labels], options, {
    check: () => check('apgd', { steps, restarts }, integer(1)),
    attack: (attacked) => ascend(attacked, options),
  });
}

async function ascend({ model, x, labels, expectGoing }: Attacked, options: ApgdOptions): Promise<Tensor> {
  const { steps = 100, restarts = 1, rule = 'paper', seed = 0 } = options;
  if (x.size === 0) return kept(() => add(x, 0));
  const { state, targets } = kept(() => noGrad(() => prepared(model, x, labels, options)));
  const captured: Captured<void>[] = [];
  const play = (at: 0 | 1, record: () => void): void => {
    if (captured[at]) captured[at].run();
    else captured[at] = capture(() => noGrad(record), { gpu: x.gpu });
  };
  const checkpoints = new Set(apgdCheckpoints(steps, rule));
  const root = splitKey(key(seed), APGD);
  try {
    for (let run = 0; run < targets.length * restarts; run++) {
      copyOver(targets[Math.floor(run / restarts)]!, state.target);
      kept(() => noGrad(() => begin(model, x, labels, state, splitKey(root, run), options)));
      for (let i = 1, last = 0; i <= steps; i++) {
        expectGoing();
        if (i <= 2) state.weight.write([i === 1 ? 1 : 0.75]);
        play(0, () => advance(model, x, labels, state, options));
        if (checkpoints.has(i) && i < steps) {
          state.limit.write([apgdLimit(i - last, rule)]);
          play(1, () => decide(state, rule));
          last = i;
        }
        // A bounded queue keeps an abort prompt.
        if (i % 8 === 0) await x.gpu.sync();
      }
    }
    await expectWay('apgd', state.isLost, () => state.isFound.detach());
    return kept(() => add(state.found, 0));
  } finally {
    for (const step of captured) step?.dispose();
    for (const t of [...Object.values(state), ...targets] as Tensor<DType>[]) t.dispose();
  }
}

/** The state before the first run, and the classes to aim at, (n) each. */
function prepared(
  model: AttackedModel,
  x: Tensor,
  labels: Tensor<'i32'>,
  { loss = 'ce', targetRanks }: ApgdOptions,
): { state: State; targets: Tensor<'i32'>[] } {
  const { gpu } = x;
  const n = x.shape[0]!;
  const logits = model.forward(x);
  const classes = logits.shape[1]!;
  const isTargeted = loss.endsWith('-targeted');
  const ranks = targetRanks ?? Array.from({ length: Math.min(9, classes - 1) }, (_, i) => i + 1);
  for (const r of ranks) {
    if (!(Number.isInteger(r) && r >= 1 && r < classes))
      throw new RangeError(`apgd: targetRanks has ${r}, expected integers in 1..${classes - 1} for ${classes} classes`);
  }
  const aimed = (): Tensor<'i32'>[] => {
    // The label goes last.
    const order = topk(where(oneHot(labels, classes, { dtype: 'bool' }), LOWEST, logits), {
      k: Math.max(0, ...ranks),
    }).indices;
    return ranks.map((r) => cast(reshape(slice(order, { start: r - 1, end: r, axes: 1 }), [n]), 'i32'));
  };
  const targets = isTargeted ? aimed() : [add(labels, 0)];
  const like = (): Tensor => empty(x.shape, { gpu });
  const each = (): Tensor => empty([n], { gpu });
  const { isFooled, isLost } = judged(logits, labels);
  const state: State = {
    now: like(),
    old: like(),
    slope: like(),
    loss: each(),
    best: like(),
    bestSlope: like(),
    bestLoss: each(),
    checkLoss: each(),
    rises: each(),
    wasHalved: empty([n], { dtype: 'bool', gpu }),
    stepSize: each(),
    found: add(x, 0),
    foundLoss: isTargeted
      ? add(zeros([n], { gpu }), -3e38)
      : ranked(valueOf(loss, logits, labels, targets[0]!), isLost),
    isFound: isFooled,
    isLost,
    weight: empty([1], { gpu }),
    limit: empty([1], { gpu }),
    target: empty([n], { dtype: 'i32', gpu }),
  };
  return { state, targets };
}

/** What is raised, for each sample. */
function valueOf(
  loss: NonNullable<ApgdOptions['loss']>,
  logits: Tensor,
  labels: Tensor<'i32'>,
  target: Tensor<'i32'>,
): Tensor {
  if (loss === 'dlr') return dlrLoss(logits, labels);
  if (loss === 'dlr-targeted') return dlrLoss(logits, labels, { targets: target });
  const plain = crossEntropy(logits, loss === 'ce' ? labels : target, { reduction: 'none' });
  return loss === 'ce' ? plain : neg(plain);
}

/** Overwrites parts of the state. */
function store(state: State, values: { readonly [K in keyof State]?: State[K] }): void {
  for (const [name, value] of Object.entries(values)) copyOver(value as Tensor, state[name as keyof State] as Tensor);
}

/** Loss and gradient at a point, which becomes the result so far where it is better. */
function look(
  model: AttackedModel,
  point: Tensor,
  labels: Tensor<'i32'>,
  state: State,
  { loss = 'ce' }: ApgdOptions,
): { value: Tensor; slope: Tensor } {
  const at = requireGrad(point.detach());
  const { logits, value, total } = withGrad(() => {
    const logits = model.forward(at);
    const value = valueOf(loss, logits, labels, state.target);
    return { logits, value, total: sum(value) };
  });
  const { slope, isLost: isStuck } = steady((gradients(total, [at]) as [Tensor])[0]);
  const { isFooled: isFooledNow, isLost } = judged(logits, labels);
  const worth = ranked(value.detach(), isLost);
  const isLarger = logicalAnd(logicalNot(logicalXor(isFooledNow, state.isFound)), greater(worth, state.foundLoss));
  const wins = logicalOr(logicalAnd(isFooledNow, logicalNot(state.isFound)), isLarger);
  store(state, {
    found: where(perSample(wins, point), point, state.found),
    foundLoss: where(wins, worth, state.foundLoss),
    isFound: logicalOr(state.isFound, isFooledNow),
  });
  store(state, { isLost: logicalOr(state.isLost, logicalOr(isLost, isStuck)) });
  return { value: worth, slope };
}

/** A random start. */
function begin(
  model: AttackedModel,
  x: Tensor,
  labels: Tensor<'i32'>,
  state: State,
  from: Key,
  options: ApgdOptions,
): void {
  const { eps, norm = 'linf', rule = 'paper' } = options;
  const { gpu, shape } = x;
  const draw = norm === 'linf' ? uniform(shape, from, { low: -1, high: 1, gpu }) : normal(shape, from, { gpu });
  const now = clipped(add(x, mul(norm === 'linf' ? levelled(draw) : unit(draw), channelwise(eps, x))), options);
  const { value, slope } = look(model, now, labels, state, options);
  const zero = zeros(value.shape, { gpu });
  store(state, {
    now,
    old: now,
    slope,
    loss: rule === 'paper' ? value : zero,
    best: now,
    bestSlope: slope,
    bestLoss: value,
    checkLoss: value,
    rises: zero,
    wasHalved: cast(add(zero, Number(rule === 'code')), 'bool'),
    stepSize: add(zero, typeof eps === 'number' ? 2 * eps : 2),
  });
}

/** x over the largest entry of each sample in size; zeros stay. */
function levelled(x: Tensor): Tensor {
  return div(x, maximum(max(abs(x), { axes: itemAxes(x), keepDim: true }), 1e-30));
}

/** x over the length of each sample; levelled first, so that no square overflows or vanishes. */
function unit(x: Tensor): Tensor {
  const level = levelled(x);
  return div(level, add(lengths(level), 1e-12));
}

/**
 * z = P(now + stepSize direction), then P(now + weight (z - now) + (1 - weight) (now - old)), P the projection to the
 * ball and the interval.
 */
function advance(model: AttackedModel, x: Tensor, labels: Tensor<'i32'>, state: State, options: ApgdOptions): void {
  const { now, old, slope, weight } = state;
  const inside = (point: Tensor): Tensor => clipped(projected(x, point, options), options);
  const uphill = options.norm === 'l2' ? unit(slope) : sign(slope);
  // With an eps for each channel step sizes are in units of it.
  const direction = typeof options.eps === 'number' ? uphill : mul(uphill, channelwise(options.eps, x));
  const z = inside(add(now, mul(direction, perSample(state.stepSize, x))));
  const next = inside(add(now, add(mul(sub(z, now), weight), mul(sub(now, old), sub(1, weight)))));
  const found = look(model, next, labels, state, options);
  const isBest = greater(found.value, state.bestLoss);
  const rose = cast(greater(found.value, state.loss), 'f32');
  const at = perSample(isBest, x);
  store(state, {
    best: where(at, next, state.best),
    bestSlope: where(at, found.slope, state.bestSlope),
    bestLoss: where(isBest, found.value, state.bestLoss),
    rises: add(state.rises, rose),
    loss: found.value,
    old: now,
  });
  store(state, { now: next, slope: found.slope });
}

/** A checkpoint: halves step sizes, where the sample goes back to its best point. */
function decide(state: State, rule: ApgdRule): void {
  const { bestLoss, checkLoss, wasHalved } = state;
  const isStuck = logicalAnd(logicalNot(wasHalved), lessEqual(bestLoss, checkLoss));
  const halves = logicalOr(less(state.rises, state.limit), isStuck);
  const at = perSample(halves, state.now);
  store(state, {
    stepSize: where(halves, mul(state.stepSize, 0.5), state.stepSize),
    now: where(at, state.best, state.now),
    slope: where(at, state.bestSlope, state.slope),
    ...(rule === 'paper' && { loss: where(halves, bestLoss, state.loss) }),
    checkLoss: bestLoss,
    wasHalved: halves,
    rises: zeros(bestLoss.shape, { gpu: bestLoss.gpu }),
  });
}
