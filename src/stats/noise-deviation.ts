import { positive, shown, type Rule } from '../check/check.ts';

/** The deviation of noise that the device draws: positive, and a normal number in f32. */
export const SIGMA: Rule<number> = {
  expected: 'a number from 2^-126 to 3.4e38, since noise is drawn in f32',
  accepts: (v) => positive.accepts(v) && Math.fround(v) >= 2 ** -126 && Math.fround(v) < Infinity,
  complaint: (name, v) =>
    positive.accepts(v)
      ? `${name} is ${v}, in f32 ${Math.fround(v)}; expected ${SIGMA.expected}`
      : `${name} is ${shown(v)}, expected ${positive.expected}`,
};
