import { atLeast, between, checkOptions, oneOf, positive, required } from '../../check/check.ts';
import type { Gpu } from '../../gpu/device.ts';
import type { Objective, ObjectiveInputs } from '../../losses/objective.ts';
import type { LinfDistHeadNet } from '../../nn/linf-dist-head-net.ts';
import { ntkWeight } from '../../nn/ntk-linear.ts';
import { relu } from '../../ops/activations.ts';
import { add, expand, mul, sub } from '../../ops/binary.ts';
import { cast } from '../../ops/cast.ts';
import { equal } from '../../ops/compare.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { indexSelect } from '../../ops/gather.ts';
import { linear, matmul } from '../../ops/matmul.ts';
import { oneHot } from '../../ops/one-hot.ts';
import { argmax, max, mean } from '../../ops/reduce.ts';
import { reshape } from '../../ops/reshape.ts';
import { abs, tanh } from '../../ops/unary.ts';
import { splitKey } from '../../random/key.ts';
import { unscoped } from '../../tensor/scope.ts';
import { tensor, type Tensor } from '../../tensor/tensor.ts';

const FORMS = oneOf('mix', 'hinge');
/** Rules of what `set` changes. */
const MOVING = { epsTrain: atLeast(0), kappa: between(0, 1), lambda: atLeast(0) } as const;

/** Options of {@link linfHead}. */
export interface LinfHeadOptions {
  /** Radius that training asks for, in the units of the model's input. */
  epsTrain: number;
  /**
   * Share of the worst case against the clean cross-entropy, of 'mix'. Default: 0.5, as on MNIST; the authors take 1 on
   * CIFAR-10.
   */
  kappa?: number;
  /** 'mix', the first paper's; 'hinge', SortNet's. Default: 'mix'. */
  form?: 'mix' | 'hinge';
  /** Weight of the clean cross-entropy, of 'hinge'. Default: 0.05. */
  lambda?: number;
}

/** {@link linfHead}, whose numbers the host may change between steps; a captured step follows. */
export interface LinfHeadObjective extends Objective {
  set(values: { epsTrain?: number; kappa?: number; lambda?: number }): void;
  dispose(): void;
}

/**
 * The objective of a distance net with a head, by interval bounds through the head: a distance net keeps |x' - x| <=
 * eps to features within eps, and w_j = max over these of z_j - z_y (0 at the label) is bounded by intervals, the last
 * layer merged with the difference.
 *
 *   'mix'    kappa CE(w, y) + (1 - kappa) CE(z, y)                         Zhang, Cai, Lu, He and Wang, ICML 2021
 *   'hinge'  mean [z is right] max(0, max_{j != y} w_j + 1) + lambda CE(z, y)     SortNet, NeurIPS 2022
 *
 * The bounds are those of training: not widened for rounding, and the mean shift of the batch taken as constant;
 * for certificates use `certifyBounds`. A schedule lets epsTrain grow from 0:
 * `apply: ({ p, eps }) => { net.power.set(p); objective.set({ epsTrain: eps * 0.35 }); }`. The net's running means move
 * once a step. Throws RangeError on options out of range.
 */
export function linfHead(net: LinfDistHeadNet, options: LinfHeadOptions): LinfHeadObjective {
  checkOptions('linfHead', options, { ...MOVING, epsTrain: required(positive), form: FORMS });
  const { epsTrain, kappa = 0.5, form = 'mix', lambda = 0.05 } = options;
  const current = { epsTrain, kappa, lambda };
  const tables = new Map<Gpu, Tensor>();
  const values = (): number[] => [
    current.epsTrain,
    form === 'mix' ? current.kappa : 1,
    form === 'mix' ? 1 - current.kappa : current.lambda,
  ];
  const numbers = (gpu: Gpu): Tensor => {
    let t = tables.get(gpu);
    if (!t) {
      t = unscoped(() => tensor(values(), { gpu }));
      tables.set(gpu, t);
    }
    return t;
  };
  const objective = ({ x, y, random }: ObjectiveInputs): Tensor => {
    const of = numbers(x.gpu);
    const [eps, worstWeight, cleanWeight] = [0, 1, 2].map((i) => indexSelect(of, [i])) as [Tensor, Tensor, Tensor];
    const { logits, worst } = headBounds(net, { x, y, random }, eps);
    const loss = form === 'mix' ? crossEntropy(worst, y) : hinge(logits, worst, y);
    return reshape(add(mul(loss, worstWeight), mul(crossEntropy(logits, y), cleanWeight)), []);
  };
  return Object.assign(objective, {
    set(next: { epsTrain?: number; kappa?: number; lambda?: number }) {
      checkOptions('linfHead: set', next, MOVING);
      Object.assign(current, next);
      for (const t of tables.values()) t.write(values());
    },
    dispose() {
      for (const t of tables.values()) t.dispose();
      tables.clear();
    },
  });
}

/**
 * Logits in training mode, and upper bounds of z_j - z_y over features within eps, 0 at j = y: (batch, classes) both.
 */
function headBounds(
  net: LinfDistHeadNet,
  { x, y, random }: Pick<ObjectiveInputs, 'x' | 'y' | 'random'>,
  eps: Tensor,
): { logits: Tensor; worst: Tensor } {
  let logits = net.features.reduce(
    (now, layer, i) => layer.forward(now, { training: true, random: { ...random, key: splitKey(random.key, i) } }),
    x,
  );
  let [centre, radius] = [logits, expand(reshape(eps, [1, 1]), logits.shape)];
  for (const [i, layer] of net.head.entries()) {
    const [weight, bias] = [ntkWeight(layer), layer.params.bias!];
    if (i > 0) {
      logits = tanh(logits);
      const [lower, upper] = [tanh(sub(centre, radius)), tanh(add(centre, radius))];
      [centre, radius] = [mul(add(lower, upper), 0.5), mul(sub(upper, lower), 0.5)];
    }
    logits = linear(logits, weight, bias);
    if (i === net.head.length - 1) return { logits, worst: differences(centre, radius, weight, bias, y) };
    [centre, radius] = [linear(centre, weight, bias), linear(radius, abs(weight), null)];
  }
  throw new RangeError('linfHead: the net has no head');
}

/** (W_j - W_y) centre + |W_j - W_y| radius + b_j - b_y. */
function differences(centre: Tensor, radius: Tensor, weight: Tensor, bias: Tensor, y: Tensor<'i32'>): Tensor {
  const [classes, features] = weight.shape as [number, number];
  const rows = sub(reshape(weight, [1, classes, features]), reshape(indexSelect(weight, y), [-1, 1, features]));
  const times = (a: Tensor, v: Tensor): Tensor => reshape(matmul(a, reshape(v, [-1, features, 1])), [-1, classes]);
  return add(add(times(rows, centre), times(abs(rows), radius)), sub(bias, reshape(indexSelect(bias, y), [-1, 1])));
}

function hinge(logits: Tensor, worst: Tensor, y: Tensor<'i32'>): Tensor {
  const right = cast(equal(argmax(logits), cast(y, 'u32')), 'f32');
  // -1 at the label, so that the hinge there is 0.
  return mean(mul(right, max(relu(add(worst, sub(1, mul(oneHot(y, worst.shape[1]!), 2)))), { axes: 1 })));
}
