import { check, integer } from '../check/check.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { apgd } from './apgd.ts';
import { type Ball } from './ball.ts';
import type { AttackedModel } from './model.ts';
import { pgd } from './pgd.ts';
import { squareAttack } from './square.ts';

/** The attacks that go by a name; 'apgd-t' is the targeted APGD on dlrLoss, one target a round. */
export type AttackName = 'pgd' | 'apgd-ce' | 'apgd-dlr' | 'apgd-t' | 'square';

/** How much the named attacks may spend. */
export interface Budget {
  /** Steps of a run of PGD or APGD. Default: 100. */
  steps?: number;
  /** Runs of PGD and APGD. Default: 1. */
  restarts?: number;
  /** Of 'square'. Default: 5000. */
  queries?: number;
  /** Classes that 'apgd-t' aims at, the likeliest first. Default: 9, or as many as there are. */
  numTargets?: number;
}

/** What an attack is given besides the model, the images (n, ...) and the labels (n). */
export interface AttackContext extends Required<Ball> {
  seed: number;
  /** Counts from 0. */
  round: number;
  signal?: AbortSignal;
}

/** An attack: gives points of the images' shape, which the caller owns. */
export interface NamedAttack {
  name: string;
  run(model: AttackedModel, x: Tensor, labels: Tensor<'i32'>, context: AttackContext): Promise<Tensor>;
  /** How often it is run, each time on what still stands. Default: 1. */
  rounds?: number;
}

/** AutoAttack's "standard" as far as there are such attacks here. */
export function standardAttacks(norm: 'linf' | 'l2', classes: number): AttackName[] {
  const second: AttackName[] = classes >= 4 ? ['apgd-t'] : classes === 3 ? ['apgd-dlr'] : [];
  return ['apgd-ce', ...second, ...(norm === 'linf' ? ['square' as const] : [])];
}

/** An attack by its name. Throws RangeError when the norm, the number of classes or the budget does not suit it. */
export function namedAttack(
  name: AttackName,
  { norm, steps = 100, restarts = 1, queries = 5000, numTargets = 9 }: Budget & Ball,
  classes: number,
): NamedAttack {
  check(
    'evaluateRobustness',
    { steps, restarts, queries, numTargets },
    { steps: integer(1), restarts: integer(1), queries: integer(1), numTargets: integer(1) },
  );
  if (name === 'pgd')
    return { name, run: (model, x, y, { round: _, ...context }) => pgd(model, x, y, { ...context, steps, restarts }) };
  if (name === 'square') {
    if (norm === 'l2') throw new RangeError("evaluateRobustness: 'square' is for norm 'linf', got 'l2'");
    return {
      name,
      run: (model, x, y, { round: _, norm: __, ...context }) =>
        squareAttack(model, x, y, { ...context, queries, rescale: false }),
    };
  }
  const needed = { 'apgd-ce': 1, 'apgd-dlr': 3, 'apgd-t': 4 }[name];
  if (classes < needed)
    throw new RangeError(`evaluateRobustness: '${name}' needs ${needed} classes, the model gives ${classes}`);
  if (name === 'apgd-ce')
    return {
      name,
      run: (model, x, y, { round: _, ...context }) => apgd(model, x, y, { ...context, steps, restarts, loss: 'ce' }),
    };
  if (name === 'apgd-dlr')
    return {
      name,
      run: (model, x, y, { round: _, ...context }) => apgd(model, x, y, { ...context, steps, restarts, loss: 'dlr' }),
    };
  if (name === 'apgd-t') {
    const rounds = Math.min(numTargets, classes - 1);
    return {
      name,
      rounds,
      run: (model, x, y, { round, ...context }) =>
        apgd(model, x, y, { ...context, steps, restarts, loss: 'dlr-targeted', targetRanks: [round + 1] }),
    };
  }
  throw new RangeError(
    `evaluateRobustness: there is no attack '${String(name)}', expected 'pgd', 'apgd-ce', 'apgd-dlr', ` +
      `'apgd-t', 'square', or an attack of your own`,
  );
}
