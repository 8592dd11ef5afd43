import type { Bin, MethodSummary, Summary } from '../../src/cli/summary.ts';
import type { Method } from '../../examples/reproduce/ldam-drw.ts';

/** A summary with plausible figures, made without a device. */
export function syntheticSummary(methods: readonly Method[] = ['ce', 'ldam-drw']): Summary {
  return {
    adapter: { name: 'test adapter <x> & "y"', kind: 'software' },
    dataset: 'mnist',
    seed: 0,
    methods: methods.map(method),
    imbFactor: 0.01,
    epochs: 4,
    quick: false,
    host: 'chrome',
    widths: [128, 64],
    classCounts: [5923, 3596, 2156, 1292, 774, 464, 278, 166, 100, 60],
    sizes: { train: 13_328, calib: 1481, test: 10_000 },
    seconds: 99,
    command: 'npm run demo -- --seed 0 --out "<b>"',
  };
}

function method(name: Method, m: number): MethodSummary {
  const perClass = Array.from({ length: 10 }, (_, c) => 0.99 - (0.05 - 0.04 * m) * c);
  return {
    name,
    accuracy: 0.88 + 0.05 * m,
    balancedAccuracy: 0.87 + 0.05 * m,
    perClass,
    many: 0.98,
    medium: 0.93,
    few: m === 0 ? null : 0.9,
    ece: 0.05,
    eceScaled: 0.02,
    temperature: 1.25,
    prior: 'balanced',
    seconds: 20,
    stepsPerSecond: 30,
    certified: {
      sigma: 0.25,
      n: 1000,
      alpha: 0.001,
      acr: 0.4,
      accuracyAtRadius: [0, 0.1, 0.5, 1].map((r) => [r, r === 1 ? 0 : 0.9 - r]),
      n0: 100,
      seconds: 3,
      points: [0, 0.2, 0.4, 0.6].map((radius, index) => ({
        index,
        label: 1,
        predicted: radius === 0 ? -1 : 1,
        radius,
      })),
    },
    history: { loss: [1, 0.5, 0.4, 0.3], balancedAccuracy: [0.5, 0.7, 0.8, 0.85] },
    reliability: { before: bins(0.05), after: bins(0) },
    parameters: 109_386,
  };
}

function bins(gap: number): Bin[] {
  return Array.from({ length: 15 }, (_, i) => {
    const [lo, hi] = [i / 15, (i + 1) / 15];
    if (i < 3) return { lo, hi, count: 0, confidence: null, accuracy: null };
    return { lo, hi, count: 10 + 40 * i, confidence: (lo + hi) / 2, accuracy: (lo + hi) / 2 - gap };
  });
}
