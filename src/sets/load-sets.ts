import { unknownKind } from '../check/state.ts';
import { averageKSets, type AverageKState } from './average-k.ts';
import { conformalSets, type ConformalState } from './conformal.ts';
import { topKSets, type SetPredictor, type TopKPredictorState } from './label-sets.ts';

/** What set predictors store: plain JSON. */
export type SetPredictorState = TopKPredictorState | AverageKState | ConformalState;

/**
 * The set predictor of a stored `state`; its rows are counted from 0 again. Throws RangeError on a kind that does not
 * exist, and on any field that is missing, unknown or not what a rule would have stored.
 */
export function loadSetPredictor(state: SetPredictorState): SetPredictor<SetPredictorState> {
  switch (state?.kind) {
    case 'topK':
      return topKSets(state);
    case 'averageK':
      return averageKSets(state);
    case 'conformal':
      return conformalSets(state);
    default:
      throw unknownKind('loadSetPredictor', state, 'set predictor');
  }
}
