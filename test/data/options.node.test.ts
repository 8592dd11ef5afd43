import { describe, expect, test } from 'vitest';
import * as data from '../../src/data/index.ts';
import * as io from '../../src/io/index.ts';
import { NdArray } from '../../src/tensor/ndarray.ts';

const set = data.makeDataset(new NdArray(new Float32Array(8), [8, 1]), [0, 1, 0, 1, 0, 1, 0, 1]);
const images = data.makeDataset(new NdArray(new Float32Array(8), [2, 1, 2, 2]), [0, 1]);
const bytes = new Uint8Array();

/** Each public function that takes options, called with one that is misspelt, and the word that is meant. */
const CALLS: Record<string, [misspelt: string, meant: string, call: (options: never) => unknown]> = {
  asymmetricNoise: ['rates', 'rate', (o) => data.asymmetricNoise(set, o)],
  cdbSampler: ['tao', 'tau', (o) => data.cdbSampler(o)],
  classProbabilities: ['betta', 'beta', (o) => data.classProbabilities([1], 'balanced', o)],
  classSampler: ['rules', 'rule', (o) => data.classSampler(o)],
  composeNoise: ['Seed', 'seed', (o) => data.composeNoise(set, [], o)],
  cropFlip: ['pading', 'padding', (o) => data.cropFlip(o)],
  difficultyProbabilities: ['flor', 'floor', (o) => data.difficultyProbabilities([1], o)],
  drs: ['frm', 'from', (o) => data.drs(o)],
  instanceNoise: ['modl', 'model', (o) => data.instanceNoise(set, o)],
  instanceProbabilities: ['weigths', 'weights', (o) => data.instanceProbabilities([1], [0], [1], 1, o)],
  loadCifar10: ['maxbytes', 'maxBytes', (o) => data.loadCifar10([bytes], o)],
  loadCifar100: ['label', 'labels', (o) => data.loadCifar100([bytes], o)],
  loadCsv: ['labels', 'label', (o) => data.loadCsv(bytes, o)],
  loadIdx: ['numclasses', 'numClasses', (o) => data.loadIdx(bytes, bytes, o)],
  loadImageFolder: ['channel', 'channels', (o) => data.loadImageFolder([], o)],
  loadNpy: ['maxbyte', 'maxBytes', (o) => data.loadNpy(bytes, bytes, o)],
  loadNpz: ['numclass', 'numClasses', (o) => data.loadNpz(bytes, o)],
  longTail: ['imbfactor', 'imbFactor', (o) => data.longTail(set, o)],
  longTailCounts: ['nmax', 'nMax', (o) => data.longTailCounts(o)],
  makeDataset: ['numClass', 'numClasses', (o) => data.makeDataset(set.x, set.y, o)],
  normalizeChannels: ['stds', 'std', (o) => data.normalizeChannels(images, o)],
  openSetNoise: ['sead', 'seed', (o) => data.openSetNoise(set, set, o)],
  pairFlipNoise: ['drew', 'draw', (o) => data.pairFlipNoise(set, o)],
  randomRelabelling: ['rat', 'rate', (o) => data.randomRelabelling(set, o)],
  randomSplit: ['stratifed', 'stratified', (o) => data.randomSplit(set, o)],
  symmetricNoise: ['streams', 'stream', (o) => data.symmetricNoise(set, o)],
  transitionNoise: [
    'seeds',
    'seed',
    (o) =>
      data.transitionNoise(
        set,
        [
          [1, 0],
          [0, 1],
        ],
        o,
      ),
  ],
  truncatedNormalQuantile: ['hight', 'high', (o) => data.truncatedNormalQuantile(0.5, o)],
  decodeNpy: ['maxHeaderByte', 'maxHeaderBytes', (o) => io.decodeNpy(bytes, o)],
  decodeNpz: ['maxByte', 'maxBytes', (o) => io.decodeNpz(bytes, o)],
  decodePng: ['maxPixel', 'maxPixels', (o) => io.decodePng(bytes, o)],
  decodeSafetensors: ['maxHeaderbytes', 'maxHeaderBytes', (o) => io.decodeSafetensors(bytes, o)],
  gunzip: ['maxBites', 'maxBytes', (o) => io.gunzip(bytes, o)],
  parseCsv: ['seperator', 'separator', (o) => io.parseCsv('', o)],
};

/** Functions without options: records of data, samplers without parameters, readers of one format. */
const WITHOUT = [
  'classAwareSampler',
  'classBalancedSampler',
  'confusions',
  'confusionTransition',
  'encodeIdx',
  'encodeNpy',
  'encodeNpz',
  'encodeSafetensors',
  'instanceSampler',
  'isGzip',
  'isPng',
  'parseCifar',
  'parseIdx',
  'progressiveProbabilities',
  'progressiveSampler',
  'random32',
  'randomBelow',
  'randomUnit',
  'recordedNoise',
  'relabellingTransition',
  'safetensorsNumbers',
  'shuffleInPlace',
  'shuffledIndices',
  'splitByMask',
  'squareRootSampler',
  'subset',
  'symmetricTransition',
];

describe('a misspelt option is refused, with the right one', () => {
  test.each(Object.entries(CALLS))('%s', async (name, [misspelt, meant, call]) => {
    const run = async (): Promise<unknown> => call({ [misspelt]: 1 } as never);
    await expect(run()).rejects.toThrow(
      new TypeError(`${name}: unknown option '${misspelt}', did you mean '${meant}'?`),
    );
  });
  test('every public function is in the table', () => {
    const all = Object.entries({ ...data, ...io }).flatMap(([name, value]) =>
      typeof value === 'function' && !/^[A-Z]/.test(name) ? [name] : [],
    );
    expect(all.sort()).toEqual([...Object.keys(CALLS), ...WITHOUT].sort());
  });
});
