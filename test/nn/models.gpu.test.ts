import { describe, expect, test } from 'vitest';
import { NdArray } from 'evenkeel';
import {
  cifarResnet,
  countParameters,
  lenet,
  mlp,
  resnet20,
  resnet32,
  walkLayers,
  wideResnet,
  type Sequential,
} from 'evenkeel/nn';
import { hostNormal, key } from 'evenkeel/random';

test.each([
  ['mlp(784, 256, 10)', () => mlp(784, 256, 10), 784 * 256 + 256 + 2570],
  // Jeong et al., SmoothMix code.
  ['lenet', () => lenet(), 431_080],
  // Published as 0.27 M and 0.46 M; by counting: 269,722 and 464,154 with linear heads of ten classes.
  ['resnet20', () => resnet20(), 269_722],
  ['resnet32', () => resnet32(), 464_154],
  ['resnet32, 100 classes', () => resnet32({ numClasses: 100 }), 470_004],
  // No bias.
  ['resnet32, cosine head', () => resnet32({ head: 'cosine' }), 464_144],
  ['ResNet-110', () => cifarResnet(18), 1_727_962],
  // Zagoruyko and Komodakis: 36.5 M, 8.9 M, 11.0 M.
  ['WRN-28-10', () => wideResnet({ depth: 28, widen: 10 }), 36_479_194],
  ['WRN-40-4', () => wideResnet({ depth: 40, widen: 4, dropout: 0.3 }), 8_949_210],
  ['WRN-16-8', () => wideResnet({ depth: 16, widen: 8 }), 10_961_370],
] as const)('%s has %s parameters', (_name, make, count) => {
  expect(countParameters(make())).toBe(count);
});

const layersOf = (model: Sequential, kind: string): string[] =>
  [...walkLayers(model)].filter(([, l]) => l.kind === kind).map(([prefix]) => prefix);

test('names of the residual networks are those of the official code', () => {
  const names = [...walkLayers(resnet32())].flatMap(([prefix, { specs }]) => Object.keys(specs).map((n) => prefix + n));
  expect(names.slice(0, 9)).toEqual([
    'conv1.weight',
    'bn1.weight',
    'bn1.bias',
    'layer1.0.conv1.weight',
    'layer1.0.bn1.weight',
    'layer1.0.bn1.bias',
    'layer1.0.conv2.weight',
    'layer1.0.bn2.weight',
    'layer1.0.bn2.bias',
  ]);
  expect(names.slice(-2)).toEqual(['linear.weight', 'linear.bias']);
  expect(names.some((n) => n.includes('shortcut'))).toBe(false);
  expect(layersOf(resnet32(), 'Conv2d')).toHaveLength(31);
  expect(layersOf(resnet32(), 'PadShortcut')).toEqual(['layer2.0.shortcut.', 'layer3.0.shortcut.']);
  const wide = [...walkLayers(wideResnet({ depth: 16, widen: 2 }))].flatMap(([prefix, { specs }]) =>
    Object.keys(specs).map((n) => prefix + n),
  );
  expect(wide.slice(0, 10)).toEqual([
    'conv1.weight',
    'block1.layer.0.bn1.weight',
    'block1.layer.0.bn1.bias',
    'block1.layer.0.conv1.weight',
    'block1.layer.0.bn2.weight',
    'block1.layer.0.bn2.bias',
    'block1.layer.0.conv2.weight',
    'block1.layer.0.convShortcut.weight',
    'block1.layer.1.bn1.weight',
    'block1.layer.1.bn1.bias',
  ]);
});

test('convolutions start Kaiming-normal', async () => {
  using model = resnet20().init({ seed: 1 });
  const state = await model.stateDict();
  for (const [name, fan] of [
    ['conv1', 27],
    ['layer2.0.conv2', 288],
    ['layer3.2.conv2', 576],
    ['linear', 64],
  ] as const) {
    const { data } = state.get(`${name}.weight`)!;
    const variance = data.reduce((s, v) => s + v * v, 0) / data.length;
    // Five standard deviations of a sample variance.
    expect(Math.abs((variance * fan) / 2 - 1), name).toBeLessThan(5 * Math.sqrt(2 / data.length));
  }
  expect(state.get('linear.bias')!.data.every((v) => Math.abs(v) <= 1 / 8)).toBe(true);
});

describe('on a small image', () => {
  const models: [string, () => Sequential, number[]][] = [
    ['resnet20', () => resnet20(), [2, 3, 8, 8]],
    [
      'resnet20 of one channel, cosine head',
      () => resnet20({ channels: 1, head: 'cosine', numClasses: 5 }),
      [2, 1, 9, 7],
    ],
    ['WRN-10-2', () => wideResnet({ depth: 10, widen: 2, dropout: 0.3 }), [2, 3, 8, 8]],
    ['lenet', () => lenet(), [2, 1, 28, 28]],
    ['mlp', () => mlp(12, 8, 4, 3), [2, 3, 2, 2]],
  ];
  test.each(models)('%s gives finite logits and trains no buffer', async (_name, make, shape) => {
    using model = make().init({ seed: 2 });
    const x = new NdArray(
      hostNormal(
        shape[0]!,
        shape.slice(1).reduce((a, b) => a * b),
        key(1),
      ),
      shape,
    );
    const y = await model.logits(x);
    expect(y.shape[0]).toBe(2);
    expect(y.data.every(Number.isFinite)).toBe(true);
    expect(new Set(y.data).size).toBe(y.data.length);
  });
});

test('bad arguments', () => {
  expect(() => mlp(3)).toThrow('mlp: got 1 sizes, expected at least the inputs and the outputs');
  expect(() => wideResnet({ depth: 20, widen: 2 })).toThrow(
    'wideResnet: depth is 20, expected 6 n + 4 with n of at least 1',
  );
  expect(() => cifarResnet(0)).toThrow('cifarResnet: blocks is 0, expected a positive integer');
});
