import { unknownKind } from '../check/state.ts';
import { affine, type AffineState } from './affine.ts';
import type { Calibrator } from './calibrator.ts';
import { oneVsRest, type OneVsRestState } from './one-vs-rest.ts';

/** What the fitted calibrators store: plain JSON. */
export type CalibratorState = AffineState | OneVsRestState;

/**
 * The calibrator of a stored `state`. Throws RangeError on a kind that does not exist, and on any field that is
 * missing, unknown or not what a fit would have stored.
 */
export function loadCalibrator(state: CalibratorState): Calibrator<CalibratorState> {
  switch (state?.kind) {
    case 'temperature':
    case 'vector':
    case 'matrix':
      return affine(state);
    case 'platt':
    case 'beta':
    case 'isotonic':
    case 'histogram':
      return oneVsRest(state);
    default:
      throw unknownKind('loadCalibrator', state, 'fitted calibrator');
  }
}
