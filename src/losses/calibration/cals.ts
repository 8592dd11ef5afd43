import {
  any,
  atLeast,
  boolean,
  check,
  checkOptions,
  finite,
  integer,
  positive,
  required,
  worded,
} from '../../check/check.ts';
import { add, div, mul, sub } from '../../ops/binary.ts';
import { relu } from '../../ops/activations.ts';
import { crossEntropy } from '../../ops/cross-entropy.ts';
import { max, mean } from '../../ops/reduce.ts';
import type { Moment } from '../../check/moment.ts';
import type { NdArray } from '../../tensor/ndarray.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { ALM_PENALTY, almPenaltyOf, type AlmPenalty } from './alm-penalty.ts';
import { defineLoss } from '../define.ts';
import { deviceTable } from '../device-table.ts';
import type { Loss, LossOptions } from '../loss.ts';
import { logitGaps } from './mbls.ts';
import {
  heuristicRule,
  lagrangianRule,
  type CalsHrState,
  type CalsState,
  type LogitRows,
  type MultiplierRule,
} from './multiplier-rules.ts';

/** Options of {@link cals}. */
export interface CalsOptions extends Omit<LossOptions, 'numClasses'> {
  numClasses: number;
  /** Largest gap max z - z_k that costs little. Default: 10, as the authors' commands; their configuration has 20. */
  margin?: number;
  /** Default: 'phr'. */
  penalty?: AlmPenalty;
  /** Constraint gap / margin - 1, or gap - margin. Default: true. */
  normalize?: boolean;
  /** First and least multiplier. Default: 1e-6. */
  lambdaMin?: number;
  /** Default: 1e6. */
  lambdaMax?: number;
  /** Epochs between renewals of the multipliers. Default: 1. */
  lambdaStep?: number;
  /** First and least penalty factor. Default: 1. */
  rho?: number;
  /** Default: 10. */
  rhoMax?: number;
  /** Epochs between renewals of the penalty factors; 0: never. Default: 10. */
  rhoStep?: number;
  /** Growth of a penalty factor. Default: 1.2. */
  gamma?: number;
  /** A penalty factor grows where the mean constraint exceeds tau times that of the epoch before. Default: 0.9. */
  tau?: number;
}

/** Options of {@link calsHr}. */
export interface CalsHrOptions extends Omit<LossOptions, 'numClasses'> {
  numClasses: number;
  /** Default: 10. */
  margin?: number;
  /** First multiplier. Default: 0.1. */
  lambda?: number;
  /** Default: 1e-6. */
  lambdaMin?: number;
  /** Default: 1e6. */
  lambdaMax?: number;
  /** Epochs between renewals. Default: 1. */
  lambdaStep?: number;
  /** Factor by which a multiplier moves. Default: 1.1. */
  gamma?: number;
  /** Ratio of two epochs' penalties from which it moves. Default: 1.1. */
  tau?: number;
}

/** Gives logits of host data in evaluation mode; every model does. */
export interface LogitSource {
  logits(x: NdArray): Promise<LogitRows>;
}

/** A loss whose multipliers, one per class, follow a validation set. */
export interface MultiplierLoss<State> extends Loss {
  /** Multipliers in force. */
  readonly lambda: Float64Array;
  /** Adds validation logits (..., classes) of the epoch at hand, from evaluation mode. */
  observe(logits: LogitRows): void;
  /** Renews the multipliers from what was observed; a captured step follows. Throws RangeError when nothing was. */
  epochEnd(): void;
  /** Both at once, for `fit({ onEpoch })`: runs the model over a validation set after each epoch. */
  onEpoch(model: LogitSource, validation: { x: NdArray }): () => Promise<void>;
  /** The same as a part of a run, for `fit({ hooks: [loss.hook(validation)] })`; checkpoints keep its state. */
  hook(validation: { x: NdArray }): MultiplierHook<State>;
  /** State on the host, for saving. */
  state(): State;
  /** Puts back a saved state. */
  setState(state: State): void;
}

/** A hook of `fit` that renews the multipliers of a loss after each epoch; see {@link MultiplierLoss}. */
export interface MultiplierHook<State> {
  readonly name: string;
  epochEnd(at: Moment, run: { readonly model: LogitSource }): Promise<void>;
  state(): State;
  setState(state: State): void;
}

/** CALS by the augmented Lagrangian; see {@link cals}. */
export interface Cals extends MultiplierLoss<CalsState> {
  /** Penalty factors in force. */
  readonly rho: Float64Array;
}

/** CALS by the heuristic rule; see {@link calsHr}. */
export type CalsHr = MultiplierLoss<CalsHrState>;

/**
 * Class-adaptive label smoothing by an augmented Lagrangian (CALS-ALM): cross-entropy + mean_k P(h_k; lambda_k, rho_k)
 * with h_k = (max z - z_k) / margin - 1, see {@link AlmPenalty}. Multipliers and penalty factors of each class are
 * renewed after each epoch on a validation set. Logits (..., classes); equal largest logits share the gradient.
 * Liu, Rony, Galdran, Dolz, Ben Ayed, "Class adaptive network calibration", CVPR 2023, as the released code, which
 * takes the mean over classes where the paper sums. Throws RangeError on options outside their ranges.
 */
export function cals(given: CalsOptions): Cals {
  checkOptions('cals', given, {
    numClasses: required(integer(1)),
    margin: positive,
    penalty: ALM_PENALTY,
    normalize: boolean,
    lambdaMin: positive,
    lambdaMax: finite,
    lambdaStep: integer(1),
    rho: positive,
    rhoMax: finite,
    rhoStep: worded(integer(), 'an integer, 0 for never'),
    gamma: atLeast(1),
    tau: atLeast(0),
    weight: any,
    reduction: any,
  });
  const {
    numClasses,
    margin = 10,
    penalty = 'phr',
    normalize = true,
    lambdaMin = 1e-6,
    lambdaMax = 1e6,
    lambdaStep = 1,
    rho = 1,
    rhoMax = 10,
    rhoStep = 10,
    gamma = 1.2,
    tau = 0.9,
    ...options
  } = given;
  check('cals', { lambdaMax, rhoMax }, { lambdaMax: atLeast(lambdaMin), rhoMax: atLeast(rho) });
  const rule = lagrangianRule(numClasses, {
    penalty,
    margin,
    normalize,
    lambdaMin,
    lambdaMax,
    lambdaStep,
    rho,
    rhoMax,
    rhoStep,
    gamma,
    tau,
  });
  const loss = multiplierLoss(
    'cals',
    numClasses,
    options,
    rule,
    ({ lambda, rho: factors }) => ({ lambda, factors }),
    (z, { lambda, factors }) => {
      const gap = sub(max(z, { axes: 1, keepDim: true }), z);
      return mean(almPenaltyOf(penalty, normalize ? sub(div(gap, margin), 1) : sub(gap, margin), lambda, factors), {
        axes: 1,
      });
    },
  );
  return Object.defineProperty(loss, 'rho', { get: () => Float64Array.from(rule.state().rho) }) as Cals;
}

/**
 * The heuristic form of class-adaptive margins: cross-entropy + mean_k lambda_k max(0, max z - z_k - margin), as `mbls`
 * with a weight of each class that grows or shrinks by gamma when its penalty on a validation set does. From the code
 * released with Liu et al., CVPR 2023 (its logit_margin_plus). Throws RangeError on options outside their ranges.
 */
export function calsHr(given: CalsHrOptions): CalsHr {
  checkOptions('calsHr', given, {
    numClasses: required(integer(1)),
    margin: atLeast(0),
    lambda: positive,
    lambdaMin: positive,
    lambdaMax: finite,
    lambdaStep: integer(1),
    gamma: atLeast(1),
    tau: atLeast(1),
    weight: any,
    reduction: any,
  });
  const {
    numClasses,
    margin = 10,
    lambda = 0.1,
    lambdaMin = 1e-6,
    lambdaMax = 1e6,
    lambdaStep = 1,
    gamma = 1.1,
    tau = 1.1,
    ...options
  } = given;
  check('calsHr', { lambdaMax }, { lambdaMax: atLeast(lambdaMin) });
  const rule = heuristicRule(numClasses, { margin, lambda, lambdaMin, lambdaMax, lambdaStep, gamma, tau });
  return multiplierLoss(
    'calsHr',
    numClasses,
    options,
    rule,
    ({ lambda: l }) => ({ l }),
    (z, { l }) => mean(mul(relu(sub(logitGaps(z), margin)), l), { axes: 1 }),
  );
}

function multiplierLoss<State extends { lambda: number[] }, K extends string>(
  name: string,
  classes: number,
  options: LossOptions,
  rule: MultiplierRule<State>,
  listsOf: (state: State) => Record<K, number[]>,
  penalty: (z: Tensor, tables: Record<K, Tensor>) => Tensor,
): MultiplierLoss<State> {
  const entries = (): [string, number[]][] => Object.entries(listsOf(rule.state()));
  const tables = Object.fromEntries(entries().map(([key, list]) => [key, deviceTable(list)]));
  const loss = defineLoss({
    name,
    tables,
    values: (z, labels, given) =>
      add(crossEntropy(z, labels, { reduction: 'none' }), penalty(z, given.tables as Record<K, Tensor>)),
    ...options,
    numClasses: classes,
  });
  const put = (): void => entries().forEach(([key, list]) => tables[key]!.write(list));
  const extra = {
    observe: rule.observe,
    epochEnd() {
      rule.epochEnd();
      put();
    },
    onEpoch:
      (model: LogitSource, { x }: { x: NdArray }) =>
      async () => {
        rule.observe(await model.logits(x));
        extra.epochEnd();
      },
    hook: (validation: { x: NdArray }): MultiplierHook<State> => ({
      name,
      epochEnd: (_, { model }) => extra.onEpoch(model, validation)(),
      state: extra.state,
      setState: extra.setState,
    }),
    state: rule.state,
    setState(state: State) {
      rule.setState(state);
      put();
    },
  };
  return Object.defineProperty(Object.assign(loss, extra), 'lambda', {
    get: () => Float64Array.from(rule.state().lambda),
  }) as MultiplierLoss<State>;
}
