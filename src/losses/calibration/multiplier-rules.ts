import { check, finite, integer, listOf, nullOr, positive } from '../../check/check.ts';
import { expectState } from '../loss-options.ts';
import { almPenalty, type AlmPenalty } from './alm-penalty.ts';

/** Logits of any leading shape, classes last. */
export interface LogitRows {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[];
}

/** Numbers of each class that follow a validation set, epoch by epoch; plain f64 on the host. */
export interface MultiplierRule<State> {
  /** Adds validation logits of the epoch at hand. */
  observe(logits: LogitRows): void;
  /** Ends the epoch: new multipliers from what was observed. */
  epochEnd(): void;
  state(): State;
  setState(state: State): void;
}

/** What {@link lagrangianRule} carries from epoch to epoch. */
export interface CalsState {
  lambda: number[];
  rho: number[];
  /** Mean constraint of each class in the epoch before; null before the first. */
  previous: number[] | null;
  /** Epochs ended. */
  epoch: number;
}

/** Numbers of {@link lagrangianRule}. */
export interface LagrangianNumbers {
  penalty: AlmPenalty;
  margin: number;
  normalize: boolean;
  lambdaMin: number;
  lambdaMax: number;
  lambdaStep: number;
  rho: number;
  rhoMax: number;
  rhoStep: number;
  gamma: number;
  tau: number;
}

/** Constraint of a gap d = max z - z_k: d / margin - 1, or d - margin. */
export function constraintOf(
  gap: number,
  { margin, normalize }: Pick<LagrangianNumbers, 'margin' | 'normalize'>,
): number {
  return normalize ? gap / margin - 1 : gap - margin;
}

/**
 * The outer step of the augmented Lagrangian: every lambdaStep epochs lambda_k = mean_i P'(h_ik), each term and the
 * mean clamped to [lambdaMin, lambdaMax]; every rhoStep epochs rho_k grows by gamma, up to rhoMax, where the mean
 * constraint exceeds tau max(0, that of the epoch before). lambda is renewed with the rho of before.
 */
export function lagrangianRule(classes: number, n: LagrangianNumbers): MultiplierRule<CalsState> {
  let state: CalsState = {
    lambda: new Array<number>(classes).fill(n.lambdaMin),
    rho: new Array<number>(classes).fill(n.rho),
    previous: null,
    epoch: 0,
  };
  const seen = accumulator('cals', classes, 2);
  const clampLambda = (v: number): number => Math.min(n.lambdaMax, Math.max(n.lambdaMin, v));
  return {
    observe: (logits) =>
      seen.add(logits, (gap, c) => {
        const h = constraintOf(gap, n);
        return [clampLambda(almPenalty(n.penalty, h, state.lambda[c]!, state.rho[c]!).slope), h];
      }),
    epochEnd() {
      const [slopes, constraints] = seen.means() as [number[], number[]];
      const epoch = state.epoch + 1;
      let { lambda, rho } = state;
      if (epoch % n.lambdaStep === 0) lambda = slopes.map(clampLambda);
      const { previous } = state;
      if (n.rhoStep > 0 && epoch % n.rhoStep === 0 && previous) {
        rho = rho.map((r, c) =>
          constraints[c]! > n.tau * Math.max(0, previous[c]!) ? Math.min(n.rhoMax, n.gamma * r) : r,
        );
      }
      state = { lambda, rho, previous: constraints, epoch };
    },
    state: () => structuredClone(state),
    setState(next) {
      expectState('cals', next);
      check('cals: the state', next, {
        lambda: listOf(positive, classes, 'one per class'),
        rho: listOf(positive, classes, 'one per class'),
        previous: nullOr(listOf(finite, classes, 'one per class')),
        epoch: integer(0),
      });
      state = structuredClone(next);
    },
  };
}

/** What {@link heuristicRule} carries from epoch to epoch. */
export interface CalsHrState {
  lambda: number[];
  /** Mean penalty of each class in the epoch before; null before the first. */
  previous: number[] | null;
  /** Epochs ended. */
  epoch: number;
}

/** Numbers of {@link heuristicRule}. */
export interface HeuristicNumbers {
  margin: number;
  lambda: number;
  lambdaMin: number;
  lambdaMax: number;
  lambdaStep: number;
  gamma: number;
  tau: number;
}

/**
 * Every lambdaStep epochs lambda_k grows by gamma where its mean penalty exceeds tau times that of before, and shrinks
 * where it is below 1 / tau of it.
 */
export function heuristicRule(classes: number, n: HeuristicNumbers): MultiplierRule<CalsHrState> {
  let state: CalsHrState = { lambda: new Array<number>(classes).fill(n.lambda), previous: null, epoch: 0 };
  const seen = accumulator('calsHr', classes, 1);
  return {
    observe: (logits) => seen.add(logits, (gap, c) => [state.lambda[c]! * Math.max(0, gap - n.margin)]),
    epochEnd() {
      const [scores] = seen.means() as [number[]];
      const { previous } = state;
      const epoch = state.epoch + 1;
      let { lambda } = state;
      if (epoch % n.lambdaStep === 0 && previous?.some((s) => s !== 0)) {
        lambda = lambda.map((l, c) => {
          const factor =
            scores[c]! > n.tau * previous[c]! ? n.gamma : scores[c]! < previous[c]! / n.tau ? 1 / n.gamma : 1;
          return Math.min(n.lambdaMax, Math.max(n.lambdaMin, l * factor));
        });
      }
      state = { lambda, previous: scores, epoch };
    },
    state: () => structuredClone(state),
    setState(next) {
      expectState('calsHr', next);
      check('calsHr: the state', next, {
        lambda: listOf(positive, classes, 'one per class'),
        previous: nullOr(listOf(finite, classes, 'one per class')),
        epoch: integer(0),
      });
      state = structuredClone(next);
    },
  };
}

/** Sums over rows of `width` numbers of each class, computed from the gap max z - z_k. */
function accumulator(
  where: string,
  classes: number,
  width: number,
): { add(logits: LogitRows, of: (gap: number, c: number) => number[]): void; means(): number[][] } {
  let sums = fresh();
  let rows = 0;
  function fresh(): number[][] {
    return Array.from({ length: width }, () => new Array<number>(classes).fill(0));
  }
  return {
    add({ data, shape }, of) {
      if (shape.at(-1) !== classes)
        throw new RangeError(
          `${where}: validation logits have shape [${shape}], expected ${classes} classes on the last axis`,
        );
      const size = shape.reduce((a, b) => a * b, 1);
      if (data.length !== size)
        throw new RangeError(
          `${where}: validation logits have ${data.length} entries, expected ${size} for shape [${shape}]`,
        );
      const bad = Array.prototype.findIndex.call(data, (v: number) => !Number.isFinite(v));
      if (bad >= 0) throw new RangeError(`${where}: validation logit ${bad} is ${data[bad]}, expected finite numbers`);
      for (let at = 0; at < data.length; at += classes, rows++) {
        let largest = data[at]!;
        for (let c = 1; c < classes; c++) largest = Math.max(largest, data[at + c]!);
        for (let c = 0; c < classes; c++) of(largest - data[at + c]!, c).forEach((v, i) => (sums[i]![c]! += v));
      }
    },
    means() {
      if (rows === 0)
        throw new RangeError(`${where}: an epoch ended without validation logits, expected observe() before`);
      const out = sums.map((list) => list.map((v) => v / rows));
      sums = fresh();
      rows = 0;
      return out;
    },
  };
}
