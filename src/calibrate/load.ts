import { affine, type AffineState } from './affine.ts';
import type { Calibrator } from './calibrator.ts';
import { oneVsRest, type OneVsRestState } from './one-vs-rest.ts';

/** What the fitted calibrators store: plain JSON. */
export type CalibratorState = AffineState | OneVsRestState;

/** The calibrator of a stored `state`. Throws RangeError on a kind that does not exist and on lists of the wrong length. */
export function loadCalibrator(state: CalibratorState): Calibrator<CalibratorState> {
  const { kind, classes } = state;
  const expectLength = (name: string, list: readonly unknown[], length: number): void => {
    if (list?.length !== length) throw new RangeError(`loadCalibrator: ${name} of ${kind} has ${list?.length ?? 0} entries, expected ${length}`);
  };
  if (kind === 'temperature' || kind === 'vector' || kind === 'matrix') {
    expectLength('weight', state.weight, kind === 'matrix' ? classes * classes : classes);
    expectLength('bias', state.bias, classes);
    return affine(state);
  }
  if (kind === 'platt' || kind === 'beta' || kind === 'isotonic' || kind === 'histogram') {
    expectLength('maps', state.maps, classes);
    return oneVsRest(state);
  }
  throw new RangeError(`loadCalibrator: kind is ${String(kind)}, expected that of a fitted calibrator`);
}
