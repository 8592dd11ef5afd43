import { encodeIdx } from 'evenkeel/io';
import { expect, test } from 'vitest';
import { absgdLt } from '../../examples/reproduce/absgd-lt.ts';
import { cdbLt } from '../../examples/reproduce/cdb-lt.ts';
import type { Experiment } from '../../examples/reproduce/lib/experiment.ts';
import { ldamDrw } from '../../examples/reproduce/ldam-drw.ts';
import type { LongTailRun } from '../../examples/reproduce/lib/long-tail.ts';
import { othersLt } from '../../examples/reproduce/others-lt.ts';
import { unimixBayiasLt } from '../../examples/reproduce/unimix-bayias-lt.ts';
import { vsLt } from '../../examples/reproduce/vs-lt.ts';
import { loadImages } from '../../src/cli/images.ts';
import type { DatasetBytes } from '../../src/cli/job.ts';
import { contextOf, glyphFiles } from './context.ts';

async function runsOf(experiment: Experiment, bytes: DatasetBytes, options: object): Promise<LongTailRun[]> {
  const context = contextOf([await loadImages(bytes)]);
  const runs: LongTailRun[] = await experiment.job({ seeds: 1, epochs: 3, full: false, ...options }, context);
  expect(context.lines.length).toBe(runs.length);
  for (const run of runs) {
    expect(run).toMatchObject({ dataset: bytes.name, seed: 0, perClass: { length: 10 } });
    for (const share of [run.balancedAccuracy, run.accuracy, run.many, run.medium, run.few, run.ece, ...run.perClass])
      expect(share >= 0 && share <= 1).toBe(true);
    // All classes are tested alike, so both accuracies are one.
    expect(run.accuracy).toBeCloseTo(run.balancedAccuracy, 12);
  }
  return runs;
}

test.each<[string, Experiment, string[]]>([
  ['ldam-drw', ldamDrw, ['ce', 'ldam-drw']],
  ['vs-lt', vsLt, ['ce', 'la', 'cdt', 'vs']],
  ['unimix-bayias-lt', unimixBayiasLt, ['ce', 'bayias', 'unimix-bayias']],
  ['absgd-lt', absgdLt, ['ce', 'absgd', 'absgd-two-stage', 'ce-drw', 'absgd-drw', 'cb-focal']],
  [
    'others-lt',
    othersLt,
    [
      'ce',
      'focal',
      'cb-focal',
      'equalization',
      'label-aware-smoothing',
      'square-root',
      'class-balanced',
      'class-aware',
      'mixup',
      'remix',
      'cutmix',
    ],
  ],
  ['cdb-lt', cdbLt, ['ce', 'cdb-w', 'cdb-w-dynamic', 'cdb-w-cifar', 'cdb-s']],
])('the job of %s, on glyphs that leave two classes empty', async (_id, experiment, methods) => {
  // cdb-lt takes 100 images of each class away.
  const bytes = glyphFiles(experiment === cdbLt ? 1240 : 240, 60);
  const runs = await runsOf(experiment, bytes, { methods });
  expect(runs.map(({ method }) => method)).toEqual(methods);
  // From the same weights on the same images, each method learnt something else.
  expect(new Set(runs.map(({ ece }) => ece)).size).toBe(methods.length);
});

test('--full: ResNet-32 on CIFAR-10, with a linear classifier and with cosines', async () => {
  const images = (n: number): Pick<DatasetBytes, 'trainImages' | 'trainLabels'> => ({
    trainImages: encodeIdx({
      dtype: 'u8',
      shape: [n, 3, 32, 32],
      data: Uint8Array.from({ length: n * 3072 }, (_, i) => (i * 37 + (Math.floor(i / 3072) % 10) * 20) % 256),
    }),
    trainLabels: encodeIdx({ dtype: 'u8', shape: [n], data: Uint8Array.from({ length: n }, (_, i) => i % 10) }),
  });
  const test = images(10);
  const bytes = { name: 'cifar10', ...images(30), testImages: test.trainImages, testLabels: test.trainLabels };
  await runsOf(vsLt, bytes, { full: true, epochs: 1, methods: ['vs'] });
  const runs = await runsOf(ldamDrw, bytes, { full: true, epochs: 2, methods: ['ce', 'ldam-drw'] });
  expect(runs.map(({ method }) => method)).toEqual(['ce', 'ldam-drw']);
});
