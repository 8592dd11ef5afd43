import { affine, type AffineState } from './affine.ts';
import type { Calibrator } from './calibrator.ts';
import { oneVsRest, type OneVsRestState } from './one-vs-rest.ts';

/** What the fitted calibrators store: plain JSON. */
export type CalibratorState = AffineState | OneVsRestState;

/** The calibrator of a stored `state`. Throws RangeError on a kind that does not exist, on lists of the wrong length and on entries that are not finite. */
export function loadCalibrator(state: CalibratorState): Calibrator<CalibratorState> {
  const { kind, classes } = state;
  const expectLength = (name: string, list: readonly unknown[], length: number): void => {
    if (list?.length !== length) throw new RangeError(`loadCalibrator: ${name} of ${kind} has ${list?.length ?? 0} entries, expected ${length}`);
  };
  if (kind === 'temperature' || kind === 'vector' || kind === 'matrix') {
    expectLength('weight', state.weight, kind === 'matrix' ? classes * classes : classes);
    expectLength('bias', state.bias, classes);
    for (const name of ['weight', 'bias'] as const) expectFinite(`${name} of ${kind}`, state[name]);
    return affine(state);
  }
  if (kind === 'platt' || kind === 'beta' || kind === 'isotonic' || kind === 'histogram') {
    expectLength('maps', state.maps, classes);
    state.maps.forEach((map, c) => {
      for (const [name, value] of Object.entries(map)) expectFinite(`${name} of class ${c} of ${kind}`, [value as number | number[]].flat());
    });
    if (kind === 'histogram') for (const { edges, values } of state.maps) expectLength('values', values, edges.length - 1);
    if (kind === 'isotonic') for (const { x, y } of state.maps) expectLength('y', y, Math.max(1, x.length));
    return oneVsRest(state);
  }
  throw new RangeError(`loadCalibrator: kind is ${String(kind)}, expected that of a fitted calibrator`);
}

function expectFinite(what: string, list: readonly number[]): void {
  const bad = list.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new RangeError(`loadCalibrator: ${what} is ${list[bad]} at ${bad}, expected finite numbers`);
}
