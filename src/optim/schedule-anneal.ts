import { atLeast, between, boolean, check, checkOptions, oneOf, required } from '../check/check.ts';
import type { Schedule, Unit } from './schedule.ts';
import { UNIT } from './schedule.ts';

/** The shape of a transition. */
export type Anneal = 'cos' | 'linear';

/** From `start` at t = 0 to `end` at t = 1. */
function anneal(kind: Anneal, start: number, end: number, t: number): number {
  return kind === 'cos' ? end + ((start - end) * (1 + Math.cos(Math.PI * t))) / 2 : start + (end - start) * t;
}

const ANNEAL = oneOf('cos', 'linear');

/**
 * The rate of PyTorch's CosineAnnealingLR: etaMin + (rate - etaMin) (1 + cos(pi t / tMax)) / 2, t in epochs (or steps).
 * `tMax` is the half period, default the whole run; beyond it the rate rises again. Default etaMin: 0. Loshchilov and
 * Hutter, ICLR 2017, eq. 5 without restarts.
 */
export function cosineLr(options: { tMax?: number; etaMin?: number; by?: Unit } = {}): Schedule {
  checkOptions('cosineLr', options, { tMax: atLeast(1), etaMin: atLeast(0), by: UNIT });
  const { tMax, etaMin = 0, by = 'epoch' } = options;
  return {
    lr: (at, rate) =>
      anneal('cos', rate, etaMin, at[by] / (tMax ?? at.epochs * (by === 'step' ? at.stepsPerEpoch : 1))),
  };
}

/**
 * The rate of PyTorch's CosineAnnealingWarmRestarts: half cosines of t0, t0 tMult, t0 tMult^2, ... epochs (or steps).
 * Defaults: tMult 1, etaMin 0.
 */
export function cosineWarmRestartsLr(options: { t0: number; tMult?: number; etaMin?: number; by?: Unit }): Schedule {
  checkOptions('cosineWarmRestartsLr', options, {
    t0: required(atLeast(1)),
    tMult: atLeast(1),
    etaMin: atLeast(0),
    by: UNIT,
  });
  const { t0, tMult = 1, etaMin = 0, by = 'epoch' } = options;
  return {
    lr: (at, rate) => {
      let t = at[by];
      let period = t0;
      if (tMult === 1) t %= t0;
      else for (; t >= period; period *= tMult) t -= period;
      return anneal('cos', rate, etaMin, t / period);
    },
  };
}

/**
 * The rate of PyTorch's LinearLR: times a factor that goes from startFactor (1/3) to endFactor (1) in totalIters (5)
 * epochs (or steps) and stays.
 */
export function linearLr(
  options: { startFactor?: number; endFactor?: number; totalIters?: number; by?: Unit } = {},
): Schedule {
  checkOptions('linearLr', options, {
    startFactor: atLeast(0),
    endFactor: atLeast(0),
    totalIters: atLeast(1),
    by: UNIT,
  });
  const { startFactor = 1 / 3, endFactor = 1, totalIters = 5, by = 'epoch' } = options;
  return { lr: (at, rate) => rate * anneal('linear', startFactor, endFactor, Math.min(1, at[by] / totalIters)) };
}

/**
 * The rate of PyTorch's PolynomialLR: times (1 - t / totalIters)^power, 0 from totalIters on. Defaults: totalIters 5,
 * power 1.
 */
export function polynomialLr(options: { totalIters?: number; power?: number; by?: Unit } = {}): Schedule {
  checkOptions('polynomialLr', options, { totalIters: atLeast(1), power: atLeast(0), by: UNIT });
  const { totalIters = 5, power = 1, by = 'epoch' } = options;
  return { lr: (at, rate) => rate * (1 - Math.min(at[by], totalIters) / totalIters) ** power };
}

/**
 * Linear from startFactor (default 0) to the whole rate over `warmup` epochs (or steps), then half a cosine to 0 at
 * `total`, default the end of the run.
 */
export function cosineWarmupLr(options: { warmup: number; total?: number; startFactor?: number; by?: Unit }): Schedule {
  checkOptions('cosineWarmupLr', options, {
    warmup: required(atLeast(0)),
    total: atLeast(0),
    startFactor: atLeast(0),
    by: UNIT,
  });
  const { warmup, total, startFactor = 0, by = 'epoch' } = options;
  if (total !== undefined) check('cosineWarmupLr', { total }, atLeast(warmup));
  return {
    lr: (at, rate) => {
      const t = at[by];
      if (t < warmup) return rate * anneal('linear', startFactor, 1, t / warmup);
      const end = total ?? at.epochs * (by === 'step' ? at.stepsPerEpoch : 1);
      return anneal('cos', rate, 0, Math.min(1, (t - warmup) / Math.max(1, end - warmup)));
    },
  };
}

/** Options of {@link oneCycleLr}; names and defaults are PyTorch's. */
export interface OneCycleLrOptions {
  /** The highest rate. Default: the rate so far. */
  maxLr?: number;
  /** Default: all steps of the run. */
  totalSteps?: number;
  /** Share of the steps in which the rate rises. Default: 0.3. */
  pctStart?: number;
  /** Default: 'cos'. */
  anneal?: Anneal;
  /** The first rate is maxLr / divFactor. Default: 25. */
  divFactor?: number;
  /** The last rate is the first / finalDivFactor. Default: 1e4. */
  finalDivFactor?: number;
  /** Falls to the first rate as fast as it rose, then to the last. Default: false. */
  threePhase?: boolean;
  /** Moves the momentum (the first beta of Adam) the other way. Default: true. */
  cycleMomentum?: boolean;
  /** Momentum at the highest rate. Default: 0.85. */
  baseMomentum?: number;
  /** Momentum at the lowest rate. Default: 0.95. */
  maxMomentum?: number;
}

/** The 1cycle policy in PyTorch's form (OneCycleLR), step by step. Smith and Topin, 2019. */
export function oneCycleLr(options: OneCycleLrOptions = {}): Schedule {
  checkOptions('oneCycleLr', options, {
    maxLr: atLeast(0),
    totalSteps: atLeast(2),
    pctStart: between(0, 1, '()'),
    anneal: ANNEAL,
    divFactor: atLeast(0),
    finalDivFactor: atLeast(0),
    threePhase: boolean,
    cycleMomentum: boolean,
    baseMomentum: atLeast(0),
    maxMomentum: atLeast(0),
  });
  const {
    maxLr,
    totalSteps,
    pctStart = 0.3,
    anneal: kind = 'cos',
    divFactor = 25,
    finalDivFactor = 1e4,
    threePhase = false,
    cycleMomentum = true,
    baseMomentum = 0.85,
    maxMomentum = 0.95,
  } = options;
  const at = (step: number, total: number, low: number, high: number, last: number): number => {
    const turn = pctStart * total - 1;
    const phases: [end: number, from: number, to: number][] = threePhase
      ? [
          [turn, low, high],
          [2 * turn, high, low],
          [total - 1, low, last],
        ]
      : [
          [turn, low, high],
          [total - 1, high, last],
        ];
    let start = 0;
    for (const [end, from, to] of phases) {
      if (step <= end || end === total - 1)
        return anneal(kind, from, to, end > start ? Math.min(1, (step - start) / (end - start)) : 1);
      start = end;
    }
    return last;
  };
  return {
    lr: ({ step, epochs, stepsPerEpoch }, rate) => {
      const high = maxLr ?? rate;
      return at(step, totalSteps ?? epochs * stepsPerEpoch, high / divFactor, high, high / divFactor / finalDivFactor);
    },
    ...(cycleMomentum && {
      momentum: ({ step, epochs, stepsPerEpoch }) =>
        at(step, totalSteps ?? epochs * stepsPerEpoch, maxMomentum, baseMomentum, maxMomentum),
    }),
  };
}

/**
 * The rate of PyTorch's SWALR: from epoch `from` (default 0) it moves to swaLr within annealEpochs (default 10) and
 * stays. Schedules before it should keep the rate steady from then on.
 */
export function swaLr(options: { swaLr: number; from?: number; annealEpochs?: number; anneal?: Anneal }): Schedule {
  checkOptions('swaLr', options, {
    swaLr: required(atLeast(0)),
    from: atLeast(0),
    annealEpochs: atLeast(0),
    anneal: ANNEAL,
  });
  const { swaLr: target, from = 0, annealEpochs = 10, anneal: kind = 'cos' } = options;
  return {
    lr: ({ epoch }, rate) => {
      if (epoch < from) return rate;
      return anneal(kind, rate, target, annealEpochs === 0 ? 1 : Math.min(1, (epoch - from) / annealEpochs));
    },
  };
}
