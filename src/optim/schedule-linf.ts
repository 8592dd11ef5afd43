import { any, atLeast, between, callable, check, checkOptions, required } from '../check/check.ts';
import type { Moment } from '../check/moment.ts';
import type { Schedule } from './schedule.ts';

/** What the training of l_infinity-distance nets varies from step to step. */
export interface LinfValues {
  p: number;
  lambda: number;
  /** Share of the final training radius, 0 to 1. */
  eps: number;
}

/** Options of {@link linfSchedule}; epochs may be fractions. */
export interface LinfScheduleOptions {
  /** p stays at `pStart` until this epoch, and is infinite from `pEndEpoch` on. */
  pStartEpoch: number;
  pEndEpoch: number;
  /** Default: 8. */
  pStart?: number;
  /** Default: 1000. Below 100 the ramp ends there instead of at infinity, as in the authors' code. */
  pEnd?: number;
  /** Weight of the cross-entropy at the start of the ramp of p and at its end. */
  lambda: number;
  lambdaEnd: number;
  /** Ramp of the training radius. Default: none. */
  epsStartEpoch?: number;
  epsEndEpoch?: number;
  /** Share of that ramp that grows with the fourth power. Default: 0. */
  epsSmooth?: number;
  /**
   * 'staircase': p is the largest power of two below the ramp, which needs no pow; each stair is captured once.
   * Default: 'exponential'.
   */
  ramp?: 'exponential' | 'staircase';
  /**
   * The rate falls along half a cosine from the first step, or from the start of the ramp of p, as in the first paper.
   * Default: 'start'.
   */
  lrFrom?: 'start' | 'ramp';
  /**
   * Puts the values of each step into force before it runs:
   * `({ p, lambda }) => { net.power.set(p); loss.set({ lambda }); }`.
   */
  apply?: (values: LinfValues) => void;
}

/** A schedule that also gives its values at any moment. */
export interface LinfSchedule extends Schedule {
  at(moment: Moment): LinfValues;
}

/**
 * The schedules of l_infinity-distance nets, by step: p = pStart (pEnd / pStart)^r and lambda = lambda0 (lambdaEnd /
 * lambda0)^r with r the share of the ramp of p; the rate is half a cosine from the first step to the end. Zhang et al.,
 * ICLR 2022, and create_schedule of the authors' second code.
 */
export function linfSchedule(options: LinfScheduleOptions): LinfSchedule {
  checkOptions('linfSchedule', options, {
    pStartEpoch: required(atLeast(0)),
    pEndEpoch: required(atLeast(0)),
    pStart: atLeast(1),
    pEnd: atLeast(1),
    lambda: required(atLeast(0)),
    lambdaEnd: required(atLeast(0)),
    epsStartEpoch: atLeast(0),
    epsEndEpoch: atLeast(0),
    epsSmooth: between(0, 1, '[)'),
    ramp: any,
    lrFrom: any,
    apply: callable,
  });
  const {
    pStartEpoch,
    pEndEpoch,
    pStart = 8,
    pEnd = 1000,
    lambda,
    lambdaEnd,
    epsStartEpoch = 0,
    epsEndEpoch = 0,
    epsSmooth = 0,
    ramp = 'exponential',
    lrFrom = 'start',
    apply,
  } = options;
  if (lambda > 0 && lambdaEnd === 0)
    throw new RangeError(
      'linfSchedule: lambdaEnd is 0, expected a number above 0: lambda falls by a constant factor a step',
    );
  check('linfSchedule', { pEndEpoch }, atLeast(pStartEpoch));
  const share = ({ step, stepsPerEpoch }: Moment, from: number, to: number): number => {
    const [start, end] = [from * stepsPerEpoch, to * stepsPerEpoch];
    if (step >= end) return 1;
    return step <= start ? 0 : (step - start) / (end - start);
  };
  const grown = (r: number): number => {
    if (epsSmooth === 0) return r;
    const k = 1 / ((4 - 3 * epsSmooth) * epsSmooth ** 3);
    if (r < epsSmooth) return k * r ** 4;
    const knee = k * epsSmooth ** 4;
    return knee + ((1 - knee) * (r - epsSmooth)) / (1 - epsSmooth);
  };
  const at = (moment: Moment): LinfValues => {
    const r = share(moment, pStartEpoch, pEndEpoch);
    const p = pStart * (pEnd / pStart) ** r;
    return {
      p: r >= 1 && pEnd >= 100 ? Infinity : ramp === 'staircase' ? 2 ** Math.floor(Math.log2(p)) : p,
      lambda: lambda === 0 ? 0 : lambda * (lambdaEnd / lambda) ** r,
      eps: grown(share(moment, epsStartEpoch, epsEndEpoch)),
    };
  };
  return {
    at,
    lr: (moment, rate) =>
      (rate * (1 + Math.cos(Math.PI * share(moment, lrFrom === 'ramp' ? pStartEpoch : 0, moment.epochs)))) / 2,
    apply: (moment) => apply?.(at(moment)),
  };
}
