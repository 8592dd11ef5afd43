/** Where a run stands; `epoch` and `step` count from 0, `step` over the whole run. */
export interface Moment {
  epoch: number;
  epochs: number;
  step: number;
  stepsPerEpoch: number;
}
