import { averageKSets, type AverageKState } from './average-k.ts';
import { conformalSets, type ConformalState } from './conformal.ts';
import { topK, type SetPredictor, type TopKState } from './label-sets.ts';

/** What set predictors store: plain JSON. */
export type SetPredictorState = TopKState | AverageKState | ConformalState;

/** The set predictor of a stored `state`. Throws RangeError on a kind that does not exist. */
export function loadSetPredictor(state: SetPredictorState): SetPredictor<SetPredictorState> {
  switch (state.kind) {
    case 'topK':
      return topK(state.k, state);
    case 'averageK':
      return averageKSets(state);
    case 'conformal':
      return conformalSets(state);
    default:
      throw new RangeError(`loadSetPredictor: kind is ${String((state as { kind: unknown }).kind)}, expected that of a set predictor`);
  }
}
