import { tensor, type Tensor } from 'evenkeel';
import {
  cdt,
  crossEntropyLoss,
  effectiveNumberWeights,
  inverseFrequencyWeights,
  logitAdjusted,
  vs,
  type Loss,
} from 'evenkeel/losses';
import { Linear, Sequential } from 'evenkeel/nn';
import { add, exp, less, log, logsumexp, matmul, maximum, mul, reshape, softplus, sum, where } from 'evenkeel/ops';
import { sgd } from 'evenkeel/optim';
import { descend } from './full-batch.ts';

/** Weight, shift and factor of the binary VS loss omega log(1 + exp(iota - Delta y f)), for the rare class first. */
export interface BinaryMethod {
  omega: readonly [number, number];
  iota: readonly [number, number];
  delta: readonly [number, number];
}

/** Labels +1 and -1 and features of several draws; the same labels in each. */
export interface BinaryDraws {
  /** (draws, rows, width). */
  x: Float32Array;
  labels: readonly number[];
  draws: number;
}

/**
 * Full-batch descent of linear models from 0, one for each draw and method, all at once. 'normalised': steps of 0.02
 * grad L / L, which is descent on log L; 'plain': 0.05 grad L. L is the mean of the weighted losses. log L is taken of
 * the logarithms of the losses, log softplus(a) = a for a < -10, so that L may be as small as it likes. Returns the
 * weights (draws, methods, width) after each number of steps in `at`, the last one included.
 */
export async function descendBinary(
  { x, labels, draws }: BinaryDraws,
  methods: readonly BinaryMethod[],
  rule: 'normalised' | 'plain',
  at: readonly number[],
  signal?: AbortSignal,
): Promise<Map<number, Float32Array>> {
  const rows = labels.length;
  const width = x.length / rows / draws;
  const model = Sequential(Linear(width, draws * methods.length, { bias: false })).init();
  const weight = model.parameters.get('0.weight')!;
  weight.write(new Float32Array(weight.size));
  const found = new Map<number, Float32Array>();
  const table = (of: (method: BinaryMethod, rare: 0 | 1, label: number) => number): Tensor =>
    tensor(
      labels.flatMap((y) => methods.map((m) => of(m, y > 0 ? 0 : 1, y))),
      { shape: [rows, methods.length] },
    );
  const [features, slope, shift, logWeight] = [
    tensor(x, { shape: [draws, rows, width] }),
    table((m, k, y) => -m.delta[k] * y),
    table((m, k) => m.iota[k]),
    table((m, k) => Math.log(m.omega[k] / rows)),
  ] as const;
  const objective = (): Tensor => {
    const f = matmul(features, reshape(weight, [draws, methods.length, width]), { transposeB: true });
    const logLoss = logsumexp(add(logWeight, logSoftplus(add(shift, mul(f, slope)))), { axes: 1 });
    return sum(rule === 'plain' ? exp(logLoss) : logLoss);
  };
  try {
    await descend(model, objective, {
      optimizer: sgd({ lr: rule === 'plain' ? 0.05 : 0.02 }),
      steps: at.at(-1)!,
      at,
      read: async (t) => void found.set(t, (await weight.read()) as Float32Array),
      ...(signal && { signal }),
    });
  } finally {
    for (const t of [features, slope, shift, logWeight]) t.dispose();
    model.dispose();
  }
  return found;
}

/** log(log(1 + e^a)). */
export function logSoftplus(a: Tensor): Tensor {
  return where(less(a, -10), a, log(softplus(maximum(a, -10))));
}

/** The losses of the ten classes, by the name that the tables have. */
export const CLASS_LOSSES: Readonly<Record<string, (classCounts: readonly number[]) => Loss>> = {
  CE: () => crossEntropyLoss(),
  'w = 1/n': (n) => crossEntropyLoss({ weight: inverseFrequencyWeights(n), reduction: 'weightedMean' }),
  'CB .9999': (n) => crossEntropyLoss({ weight: effectiveNumberWeights(n, 0.9999), reduction: 'weightedMean' }),
  'CB .99': (n) => crossEntropyLoss({ weight: effectiveNumberWeights(n, 0.99), reduction: 'weightedMean' }),
  LA: (classCounts) => logitAdjusted({ classCounts }),
  'CDT .2': (classCounts) => cdt({ classCounts, gamma: 0.2 }),
  'VS (.1, 1)': (classCounts) => vs({ classCounts, gamma: 0.1, tau: 1 }),
  'VS (.2, 1.2)': (classCounts) => vs({ classCounts, gamma: 0.2, tau: 1.2 }),
};

/** Rows of several draws with the same counts of the classes, sorted by class. */
export interface ClassDraws {
  /** (draws, rows, width). */
  x: Float32Array;
  counts: readonly number[];
  draws: number;
  width: number;
}

/** Penalty on W of {@link fitClasses}: l2 / 2 |W|^2 added to the mean loss. */
const L2 = 1e-3;

/**
 * Linear classifiers, one a draw, at the minimum of the penalised loss that descent along gradients from 0 comes to.
 * With factors there are others: b_c + v / Delta_c has the same loss for every v and another argmax. Gradients keep sum
 * b_c / Delta_c at 0; Adam does not. weight: (draws, classes, width); bias: (draws, classes).
 */
export async function fitClasses(
  { x, counts, draws, width }: ClassDraws,
  make: (counts: readonly number[]) => Loss,
  { steps = 600, signal }: { steps?: number; signal?: AbortSignal } = {},
): Promise<{ weight: Float32Array; bias: Float32Array }> {
  const classes = counts.length;
  const labels = counts.flatMap((n, c) => new Array<number>(n).fill(c));
  const rows = labels.length;
  const loss = make(counts);
  const model = Sequential(Linear(width, draws * classes)).init();
  const [weight, bias] = ['0.weight', '0.bias'].map((name) => model.parameters.get(name)!) as [Tensor, Tensor];
  for (const p of [weight, bias]) p.write(new Float32Array(p.size));
  const [features, of] = [
    tensor(x, { shape: [draws, rows, width] }),
    tensor(Array.from({ length: draws }, () => labels).flat(), { shape: [draws, rows], dtype: 'i32' }),
  ];
  const objective = (): Tensor => {
    const z = add(
      matmul(features, reshape(weight, [draws, classes, width]), { transposeB: true }),
      reshape(bias, [draws, 1, classes]),
    );
    // Every draw has the same counts, so the weighted mean over all is the mean of theirs.
    return add(mul(loss(z, of), draws), mul(sum(mul(weight, weight)), L2 / 2));
  };
  try {
    await descend(model, objective, {
      optimizer: sgd({ lr: 0.5, momentum: 0.97, nesterov: true }),
      steps,
      ...(signal && { signal }),
    });
    const [w, b] = await Promise.all([weight.read(), bias.read()]);
    return { weight: w as Float32Array, bias: b as Float32Array };
  } finally {
    for (const t of [features, of]) t.dispose();
    model.dispose();
    loss.dispose();
  }
}
