import { floats, numbers, testRaces, type Launch } from '../support/lockstep.ts';

/**
 * A workgroup a set, with the numbers of a part and of a set in a word each: what is checked is that all parts are
 * kept, by whichever lane, before one lane takes them.
 */
const [sets, parts] = [2, 70];
const own = (): Float32Array<ArrayBuffer> => floats(1, () => 1);
const ofPart = 'return vec2f(f32(100u * s + part), 1.0);';
const ofSet = 'return kept[0u] + kept[63u] + kept[params.parts - 1u];';
const total = (s: number): number => 3 * 100 * s + 63 + parts - 1;
const common = {
  shader: 'standardize',
  variant: { GROUP: 64, PARTS: 1, TAKES: 2 },
  params: {
    ...{ batch: 1, sets, inner: 1, parts, hop: 0, hopI: 0, groups: 1, width: 1, span: 1, pitch: sets },
    ...{ eps: 1, momentum: 1 },
  },
  groups: [sets],
};
const statistics = {
  ...common,
  bodies: { momentsOf: ofPart, merged: ofSet, placeIn: 'return Place(s, t, 0u, 1u);' },
};
// The variance is 3 / (batch * inner), and eps 1.
const table = [...numbers(sets, total), ...numbers(sets, () => 0.5)];

const TABLE: Launch[] = [
  {
    ...statistics,
    entry: 'wholeStatistics',
    buffers: { x: own(), out: floats(2 * sets, () => NaN) },
    expected: { out: table },
  },
  {
    ...statistics,
    entry: 'wholeTracked',
    buffers: {
      ...{ x: own(), out: floats(2 * sets, () => NaN), tracked: new Uint32Array(1) },
      ...{ runningMean: floats(sets, () => 0), runningVar: floats(sets, () => 0) },
    },
    expected: { out: table, runningMean: numbers(sets, total), tracked: [1] },
  },
  {
    ...common,
    entry: 'wholeSums',
    bodies: { sumsOf: ofPart, overParts: ofSet, placeIn: 'return Place(s, t, 0u, 1u);' },
    buffers: {
      ...{ x: own(), y: own(), dy: own(), table: own(), gamma: own() },
      ...{ out: floats(sets, () => NaN), out2: floats(sets, () => NaN) },
    },
    expected: { out: numbers(sets, total), out2: numbers(sets, () => 3) },
  },
];

testRaces(TABLE);
