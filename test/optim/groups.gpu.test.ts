import { describe, expect, test } from 'vitest';
import { backward, capture, scope, tensor, type Tensor } from 'evenkeel';
import { freeze, Linear, ReLU, Sequential, unfreeze } from 'evenkeel/nn';
import { decodeSafetensors, encodeSafetensors } from 'evenkeel/io';
import { square, sub, sum } from 'evenkeel/ops';
import {
  adagrad,
  adam,
  adamW,
  clipGradNorm,
  lamb,
  loadState,
  rmsprop,
  sam,
  saveState,
  sgd,
  stepLr,
  type Optimizer,
  type ParameterGroup,
} from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import { expectSameBits, poison } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';

/** Settings of one parameter in the references; those that a rule does not have are ignored. */
interface Settings {
  lr: number;
  weightDecay: number;
  maximize?: boolean;
  momentum?: number;
  dampening?: number;
  nesterov?: boolean;
  betas?: readonly [number, number];
  eps?: number;
  alpha?: number;
  lrDecay?: number;
}

/** The parameter after the gradients given, in f64. */
type Reference = (start: readonly number[], grads: readonly number[][], settings: Settings) => number[];

/** The gradient to descend on: that of the loss, or of its negative, and of the penalty. */
const descent = (g: number, p: number, { weightDecay, maximize = false }: Settings): number =>
  (maximize ? -g : g) + weightDecay * p;

/** PyTorch's SGD; without a momentum of its own 0.9. */
const sgdReference: Reference = (start, grads, settings) => {
  const { lr, momentum = 0.9, dampening = 0, nesterov = false } = settings;
  const p = [...start];
  const m = p.map(() => 0);
  grads.forEach((g, t) =>
    p.forEach((v, i) => {
      const d = descent(g[i]!, v, settings);
      m[i] = t === 0 ? d : momentum * m[i]! + (1 - dampening) * d;
      p[i] = v - lr * (momentum === 0 ? d : nesterov ? d + momentum * m[i]! : m[i]!);
    }),
  );
  return p;
};

/** The two moments of Adam after the gradients so far, with bias correction: direction of each step. */
function adamDirections(
  settings: Settings,
  size: number,
): (d: readonly number[], t: number) => { first: number; root: number }[] {
  const [b1, b2] = settings.betas ?? [0.9, 0.999];
  const [m, v] = [new Array<number>(size).fill(0), new Array<number>(size).fill(0)];
  return (d, t) =>
    d.map((each, i) => {
      m[i] = b1 * m[i]! + (1 - b1) * each;
      v[i] = b2 * v[i]! + (1 - b2) * each * each;
      return { first: m[i]! / (1 - b1 ** (t + 1)), root: Math.sqrt(v[i]! / (1 - b2 ** (t + 1))) };
    });
}

/** PyTorch's Adam, decoupled AdamW. */
const adamReference =
  (isDecoupled = false): Reference =>
  (start, grads, settings) => {
    const { lr, weightDecay, eps = 1e-8 } = settings;
    let p = [...start];
    const directions = adamDirections(settings, p.length);
    grads.forEach((g, t) => {
      if (isDecoupled) p = p.map((v) => v * (1 - lr * weightDecay));
      const d = p.map((v, i) => descent(g[i]!, v, isDecoupled ? { ...settings, weightDecay: 0 } : settings));
      directions(d, t).forEach(({ first, root }, i) => (p[i]! -= (lr * first) / (root + eps)));
    });
    return p;
  };

/** LAMB, the whole parameter scaled by its trust ratio. */
const lambReference: Reference = (start, grads, settings) => {
  const { lr, weightDecay, eps = 1e-6 } = settings;
  let p = [...start];
  const directions = adamDirections(settings, p.length);
  grads.forEach((g, t) => {
    const d = p.map((v, i) => descent(g[i]!, v, { ...settings, weightDecay: 0 }));
    const u = directions(d, t).map(({ first, root }, i) => first / (root + eps) + weightDecay * p[i]!);
    const ratio = Math.hypot(...p) / Math.hypot(...u);
    p = p.map((v, i) => v - lr * ratio * u[i]!);
  });
  return p;
};

/** PyTorch's RMSprop. */
const rmspropReference =
  (isCentered = false): Reference =>
  (start, grads, settings) => {
    const { lr, alpha = 0.99, eps = 1e-8, momentum = 0 } = settings;
    const p = [...start];
    const [v, a, m] = [p.map(() => 0), p.map(() => 0), p.map(() => 0)];
    for (const g of grads)
      p.forEach((_, i) => {
        const d = descent(g[i]!, p[i]!, settings);
        v[i] = alpha * v[i]! + (1 - alpha) * d * d;
        a[i] = alpha * a[i]! + (1 - alpha) * d;
        m[i] = momentum * m[i]! + d / (Math.sqrt(v[i]! - (isCentered ? a[i]! ** 2 : 0)) + eps);
        p[i]! -= lr * m[i]!;
      });
    return p;
  };

/** PyTorch's Adagrad, its sum of squares starts at 0.1. */
const adagradReference: Reference = (start, grads, settings) => {
  const { lr, lrDecay = 0, eps = 1e-10 } = settings;
  const p = [...start];
  const sum = p.map(() => 0.1);
  grads.forEach((g, t) =>
    p.forEach((v, i) => {
      const d = descent(g[i]!, v, settings);
      sum[i]! += d * d;
      p[i] = v - ((lr / (1 + t * lrDecay)) * d) / (Math.sqrt(sum[i]!) + eps);
    }),
  );
  return p;
};

const SHAPES: readonly (readonly [name: string, shape: number[]])[] = [
  ['features.0.weight', [7, 13]],
  ['features.0.bias', [7]],
  ['head.weight', [5, 70]],
  ['head.bias', [5]],
];
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const STEPS = 12;
const startOf = (i: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(sample([sizeOf(SHAPES[i]![1])], { seed: 10 + i }).data);
const gradOf = (i: number, t: number): Float32Array<ArrayBuffer> =>
  Float32Array.from(sample([sizeOf(SHAPES[i]![1])], { seed: 100 + 10 * t + i }).data);
const arena = (): Arena =>
  new Arena(gpu, new Map(SHAPES.map(([name, shape], i) => [name, { shape, data: startOf(i) }])));

/** Steps with the gradients of `gradOf`, eager or captured, end where the reference with the settings of each ends. */
async function expectReference(
  optimizer: Optimizer,
  reference: Reference,
  settings: readonly Settings[],
  isCaptured: boolean,
  dispatches = 1,
): Promise<void> {
  poison([4096]);
  const a = arena();
  const opt = optimizer.for(a);
  const step = (t: number): void => {
    [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, t)));
  };
  step(0);
  const captured = isCaptured ? capture(() => opt.step()) : null;
  if (!captured) opt.step();
  else expect(captured.dispatches, 'dispatches').toBe(dispatches);
  for (let t = 1; t < STEPS; t++) {
    step(t);
    if (captured) captured.run();
    else opt.step();
  }
  for (const [i, p] of [...a.parameters.values()].entries()) {
    const grads = Array.from({ length: STEPS }, (_, t) => Array.from(gradOf(i, t)));
    const want = reference(Array.from(startOf(i)), grads, settings[i]!);
    const got = await p.read();
    want.forEach((w, k) =>
      expect(Math.abs(got[k]! - w), `${SHAPES[i]![0]}[${k}]`).toBeLessThanOrEqual(1e-5 * Math.abs(w) + 4e-6),
    );
  }
  captured?.dispose();
  for (const t of [opt, a]) t.dispose();
}

describe('two groups as the f64 reference, eager and captured, a schedule on top', () => {
  const groups: ParameterGroup[] = [
    { params: 'head.*', lr: 0.01, weightDecay: 0 },
    { params: (name) => name === 'features.0.bias', weightDecay: 0.3 },
  ];
  const settings = (lr: number, weightDecay: number): Settings[] => [
    { lr, weightDecay },
    { lr, weightDecay: 0.3 },
    { lr: 0.01, weightDecay: 0 },
    { lr: 0.01, weightDecay: 0 },
  ];
  const cases: [string, Optimizer, Reference, number][] = [
    ['sgd', sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.05, groups }), sgdReference, 0.1],
    ['adam', adam({ lr: 0.05, weightDecay: 0.05, groups }), adamReference(), 0.05],
    ['adamW', adamW({ lr: 0.05, weightDecay: 0.05, groups }), adamReference(true), 0.05],
  ];
  test.each(cases)('%s', async (_, optimizer, reference, lr) => {
    for (const isCaptured of [false, true]) await expectReference(optimizer, reference, settings(lr, 0.05), isCaptured);
  });

  test('setting lr scales all groups alike, between runs of a captured step too', async () => {
    const a = arena();
    const opt = sgd({ lr: 0.1, groups: [{ params: 'head.*', lr: 0.01 }] }).for(a);
    [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, 0)));
    const before = await a.values.read();
    const g = await a.grads.read();
    const step = capture(() => opt.step());
    const schedule = stepLr({ stepSize: 1, by: 'step' });
    opt.lr = schedule.lr!({ epoch: 0, epochs: 1, step: 1, stepsPerEpoch: 2 }, 0.1);
    step.run();
    const after = await a.values.read();
    for (const [name, p] of a.parameters) {
      const rate = name.startsWith('head') ? 0.01 : 0.1;
      for (let i = p.offset; i < p.offset + p.size; i++)
        expect(Math.abs(after[i]! - (before[i]! - 1.1 * rate * g[i]!)), name).toBeLessThan(1e-6);
    }
    expect(opt.lr).toBeCloseTo(0.01, 12);
    for (const t of [step, opt, a]) t.dispose();
  });
});

describe('a group has its own value of every setting, as in the f64 reference', () => {
  const base = { lr: 0.05, weightDecay: 0.05 };
  type Own = Omit<Settings, 'lr' | 'weightDecay'> & Partial<Settings>;
  const moments: [Own, Own][] = [
    [{ betas: [0.5, 0.9] }, { betas: [0.8, 0.99], eps: 1e-2 }],
    [
      { eps: 0.1, maximize: true },
      { betas: [0, 0.999], lr: 0.01, weightDecay: 0.3 },
    ],
  ];
  /** Rule, its options, its dispatches, and pairs of groups: that of the head and that of one bias. */
  const cases: [string, (o: any) => Optimizer, Reference, Own & object, number, [Own, Own][]][] = [
    [
      'sgd',
      sgd,
      sgdReference,
      { momentum: 0.9 },
      1,
      [
        [{ momentum: 0.5, dampening: 0.2 }, { nesterov: true }],
        [{ momentum: 0, dampening: 0.5 }, { maximize: true }],
        [
          { momentum: 0.3, lr: 0.01 },
          { momentum: 0.8, nesterov: true, weightDecay: 0.2 },
        ],
      ],
    ],
    ['sgd without momentum', sgd, sgdReference, { momentum: 0 }, 1, [[{ momentum: 0.9 }, { maximize: true }]]],
    ['adam', adam, adamReference(), {}, 1, moments],
    ['adamW', adamW, adamReference(true), {}, 1, moments],
    ['lamb', lamb, lambReference, { betas: [0.9, 0.99] }, 6, moments],
    [
      'rmsprop',
      rmsprop,
      rmspropReference(),
      { eps: 1e-3 },
      1,
      [
        [{ alpha: 0.9 }, { eps: 0.1, maximize: true }],
        [{ momentum: 0.5 }, { momentum: 0.9, alpha: 0.8, lr: 0.01 }],
      ],
    ],
    [
      'rmsprop, centred',
      (o) => rmsprop({ ...o, centered: true }),
      rmspropReference(true),
      { momentum: 0.3, eps: 0.1 },
      1,
      [[{ momentum: 0, alpha: 0.9 }, { eps: 0.2 }]],
    ],
    [
      'adagrad',
      (o) => adagrad({ ...o, initialAccumulatorValue: 0.1 }),
      adagradReference,
      { lrDecay: 0.1 },
      1,
      [[{ lrDecay: 0.5 }, { eps: 0.2, maximize: true, weightDecay: 0 }]],
    ],
  ];
  const rows = cases.flatMap(([name, rule, reference, options, dispatches, pairs]) =>
    pairs.map((pair) => [name, rule, reference, options, dispatches, pair] as const),
  );
  test.each(rows)('%s', async (_, rule, reference, options, dispatches, [head, bias]) => {
    const shared = { ...base, ...options };
    const groups = [
      { params: 'head.*', ...head },
      { params: 'features.0.bias', ...bias },
    ];
    const settings = [{}, bias, head, head].map((own) => ({ ...shared, ...own }));
    for (const isCaptured of [false, true])
      await expectReference(rule({ ...shared, groups }), reference, settings, isCaptured, dispatches);
  });

  test('a momentum of its own stays where the momentum of the optimiser is set', async () => {
    const a = arena();
    const opt = sgd({ lr: 0.1, momentum: 0.9, groups: [{ params: 'head.*', momentum: 0.5 }] }).for(a);
    opt.momentum = 0.2;
    for (let t = 0; t < 3; t++) {
      [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, t)));
      opt.step();
    }
    for (const [i, p] of [...a.parameters.values()].entries()) {
      const momentum = i < 2 ? 0.2 : 0.5;
      const grads = [0, 1, 2].map((t) => Array.from(gradOf(i, t)));
      const want = sgdReference(Array.from(startOf(i)), grads, { lr: 0.1, weightDecay: 0, momentum });
      (await p.read()).forEach((v, k) => expect(Math.abs(v - want[k]!)).toBeLessThan(2e-6));
    }
    for (const t of [opt, a]) t.dispose();
  });

  test('what is one for all parameters is refused, and so are bad values', () => {
    const params = '*';
    const refused: [(groups: any) => unknown, object, string][] = [
      [
        (groups) => adam({ groups }),
        { amsgrad: true },
        'adam: groups[0].amsgrad cannot differ between groups, adam has one amsgrad for all parameters',
      ],
      [(groups) => rmsprop({ groups }), { centered: true }, 'rmsprop: groups[0].centered cannot differ between groups'],
      [
        (groups) => adagrad({ groups }),
        { initialAccumulatorValue: 1 },
        'adagrad: groups[0].initialAccumulatorValue cannot differ between groups',
      ],
      [(groups) => lamb({ groups }), { decays: () => true }, 'lamb: groups[0].decays cannot differ between groups'],
      [
        (groups) => adamW({ groups }),
        { betas: [0.9, 1] },
        'adamW: groups[0]: betas[1] is 1, expected 0 <= betas[1] < 1',
      ],
      [(groups) => adam({ groups }), { momentum: 0.5 }, "adam: groups[0]: unknown option 'momentum'"],
      [
        (groups) => sgd({ lr: 1, groups }),
        { nesterov: true },
        'sgd: groups[0]: nesterov needs momentum > 0 and dampening 0, got 0 and 0',
      ],
      [
        (groups) => rmsprop({ groups }),
        { alpha: NaN },
        'rmsprop: groups[0]: alpha is NaN, expected a finite number >= 0',
      ],
    ];
    for (const [make, own, message] of refused) expect(() => make([{ params, ...own }])).toThrow(message);
  });
});

test('a group of everything with the settings of the rule gives the bits of no group', async () => {
  const rules: ((groups: ParameterGroup[]) => Optimizer)[] = [
    (groups) => sgd({ lr: 0.1, momentum: 0.9, weightDecay: 0.01, groups }),
    (groups) => adam({ lr: 0.1, weightDecay: 0.01, amsgrad: true, groups }),
    (groups) => adagrad({ lr: 0.1, weightDecay: 0.01, groups }),
    (groups) => rmsprop({ lr: 0.1, weightDecay: 0.01, momentum: 0.5, centered: true, groups }),
    (groups) => lamb({ lr: 0.1, weightDecay: 0.01, groups }),
  ];
  for (const rule of rules) {
    const run = async (groups: ParameterGroup[]): Promise<Float32Array> => {
      const a = arena();
      const opt = rule(groups).for(a);
      for (let t = 0; t < 4; t++) {
        [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, t)));
        opt.step();
      }
      const out = await a.values.read();
      for (const t of [opt, a]) t.dispose();
      return out;
    };
    expectSameBits(await run([{ params: '*', lr: 0.1, weightDecay: 0.01 }]), await run([]), 'values');
  }
});

test('groups choose by name, pattern, test or tensor, and under wrappers', async () => {
  const a = arena();
  const head = a.parameters.get('head.weight')!;
  const optimizers: Optimizer[] = [
    sgd({ lr: 0.1, groups: [{ params: [head, 'head.bias'], lr: 0 }] }),
    clipGradNorm(sgd({ lr: 0.1, groups: [{ params: 'head.*', lr: 0 }] }), { maxNorm: 1 }),
    sam({ base: sgd({ lr: 0.1, groups: [{ params: (name) => /^head/.test(name), lr: 0 }] }) }),
  ];
  for (const optimizer of optimizers) {
    const opt = optimizer.for(a);
    const before = await a.values.read();
    [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, 0)));
    opt.step(() => {});
    const after = await a.values.read();
    expectSameBits(after.slice(head.offset), before.slice(head.offset), 'head');
    expect(after.slice(0, 91)).not.toEqual(before.slice(0, 91));
    opt.dispose();
  }
  a.dispose();
});

test('groups that do not fit are refused by name', () => {
  const a = arena();
  const refused: [Parameters<typeof sgd>[0]['groups'], string][] = [
    [
      [{ params: 'haed.*' }],
      "sgd: groups[0].params: 'haed.*' matches no parameter; there are features.0.weight, features.0.bias, " +
        'head.weight, head.bias',
    ],
    [[{ params: () => false }], 'sgd: groups[0].params: the test of names matches no parameter'],
    [[{ params: [] }], 'sgd: groups[0].params: the list of parameters is empty, expected at least one'],
    [
      [{ params: '*.bias' }, { params: ['features.*'] }],
      'sgd: features.0.bias is in groups[0] and in groups[1], expected one group',
    ],
    [[{ params: 'head.*', lr: -1 }], 'sgd: groups[0]: lr is -1, expected a finite number >= 0'],
    [[{ params: 'head.*', weightDecay: NaN }], 'sgd: groups[0]: weightDecay is NaN'],
    [[{ params: 'head.*', betas: [0.9, 0.99] } as never], "sgd: groups[0]: unknown option 'betas'"],
    [[{ lr: 0.1 } as never], "sgd: groups[0] has no params, expected for example 'head.*'"],
    [[{ params: 3 as never }], "sgd: groups[0].params: got 3, expected a name or pattern such as 'head.*'"],
    ['head.*' as never, 'sgd: groups is head.*, expected a list'],
  ];
  for (const [groups, message] of refused) expect(() => sgd({ lr: 0.1, groups: groups! }).for(a)).toThrow(message);
  expect(() => sgd({ lr: 0, groups: [{ params: 'head.*', lr: 0.1 }] })).toThrow('by which schedules cannot scale it');
  expect(() => sgd({ lr: 0.1 }).for(undefined as never)).toThrow('sgd.for: got undefined, expected a model such as');
  const opt = sgd({ lr: 0.1 }).for(a);
  expect(() => (opt.lr = -1)).toThrow('sgd: lr is -1, expected a finite number >= 0');
  expect(() => (opt.momentum = 0.5)).toThrow('sgd: has no momentum to set');
  opt.dispose();
  a.dispose();
});

describe('freezing under an optimiser', () => {
  const net = (): Sequential => Sequential({ body: Linear(5, 33), act: ReLU(), head: Linear(33, 3) }).init({ seed: 1 });
  const inputs = (): { x: Tensor; y: Tensor } => ({
    x: tensor(sample([7, 5], { seed: 3 }).data, { shape: [7, 5] }),
    y: tensor(sample([7, 3], { seed: 4 }).data, { shape: [7, 3] }),
  });
  const optimizers: [string, Optimizer][] = [
    ['sgd', sgd({ lr: 0.01, momentum: 0.9, weightDecay: 0.1 })],
    ['adamW', adamW({ lr: 0.01, weightDecay: 0.1 })],
    ['lamb', lamb({ lr: 0.01, weightDecay: 0.1 })],
  ];
  /** Steps with the body frozen in the middle, and trained again. */
  const run = async (optimizer: Optimizer, isCaptured: boolean): Promise<Float32Array[]> => {
    const model = net();
    const opt = optimizer.for(model);
    const { x, y } = inputs();
    const once = (): void => {
      backward(sum(square(sub(model.forward(x), y))));
      opt.step();
    };
    const step = isCaptured ? capture(once) : null;
    const next = (): void => (step ? void step.run() : scope(once));
    if (!isCaptured) next();
    const seen: Float32Array[] = [];
    for (const change of [null, freeze, null, unfreeze, null]) {
      change?.(model, 'body.*');
      next();
      next();
      seen.push(await model.arena.values.read());
    }
    step?.dispose();
    for (const t of [opt, model, x, y]) t.dispose();
    return seen;
  };
  test.each(optimizers)(
    '%s: a captured step follows freeze and unfreeze as an eager one does',
    async (_, optimizer) => {
      const [eager, captured] = [await run(optimizer, false), await run(optimizer, true)];
      const body = 5 * 33;
      captured.forEach((values, i) => expectSameBits(values, eager[i]!, `after change ${i}`));
      expectSameBits(eager[2]!.slice(0, body), eager[0]!.slice(0, body), 'body, frozen for four steps');
      expect(eager[3]!.slice(0, body)).not.toEqual(eager[2]!.slice(0, body));
      expect(eager[2]!.slice(body)).not.toEqual(eager[1]!.slice(body));
    },
  );

  test(
    'a parameter that is unfrozen late starts its own count of steps, as in PyTorch, also when saved and ' + 'restored',
    async () => {
      poison([4096]);
      const optimizer = adam({ lr: 0.05, groups: [{ params: 'head.*', lr: 0.01 }] });
      let a = arena();
      let opt = optimizer.for(a);
      const [names, late] = [[...a.parameters.keys()], 5];
      const setLate = (on: boolean): void => {
        for (const name of ['features.0.weight', 'head.weight']) a.parameters.get(name)!.requiresGrad = on;
      };
      setLate(false);
      for (let t = 0; t < STEPS; t++) {
        if (t === late) setLate(true);
        if (t === late - 1 || t === late + 2) {
          const [saved, values] = [await saveState(opt), await a.values.read()];
          expect(decodeSafetensors(saved).metadata.get('missed')).toBe(
            `{"features.0.weight":${Math.min(t, late)},"head.weight":${Math.min(t, late)}}`,
          );
          for (const each of [opt, a]) each.dispose();
          a = arena();
          a.values.write(values);
          setLate(t >= late);
          opt = optimizer.for(a);
          loadState(opt, saved);
        }
        [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, t)));
        opt.step();
      }
      for (const [i, name] of names.entries()) {
        const first = name.endsWith('weight') ? late : 0;
        const grads = Array.from({ length: STEPS - first }, (_, t) => Array.from(gradOf(i, first + t)));
        const lr = name.startsWith('head') ? 0.01 : 0.05;
        const want = adamReference()(Array.from(startOf(i)), grads, { lr, weightDecay: 0 });
        const got = await a.parameters.get(name)!.read();
        want.forEach((w, k) => expect(Math.abs(got[k]! - w), `${name}[${k}]`).toBeLessThan(1e-5 * Math.abs(w) + 4e-6));
      }
      const bytes = await saveState(opt);
      const { tensors, metadata } = decodeSafetensors(bytes);
      for (const missed of ['x', '3', '{"tail":1}', '{"head.weight":-1}', '{"head.weight":99}'])
        expect(() =>
          loadState(opt, encodeSafetensors(tensors as never, new Map([...metadata, ['missed', missed]]))),
        ).toThrow(`loadState: missed is ${missed}, expected the steps that parameters of this model missed`);
      for (const t of [opt, a]) t.dispose();
    },
  );

  test('an eager step computes no gradient for what is frozen: fewer dispatches', () => {
    const model = net();
    const { x, y } = inputs();
    const count = (): number => {
      const step = capture(() => backward(sum(square(sub(model.forward(x), y)))));
      const { dispatches } = step;
      step.dispose();
      return dispatches;
    };
    const all = count();
    freeze(model, 'body.*');
    expect(count()).toBeLessThan(all);
    for (const t of [model, x, y]) t.dispose();
  });

  test('a step captured while a parameter was frozen has no gradient for it, and says so', () => {
    const model = net();
    const opt = sgd({ lr: 0.1 }).for(model);
    const { x, y } = inputs();
    const once = (): void => {
      backward(sum(square(sub(model.forward(x), y))));
      opt.step();
    };
    freeze(model, 'body.weight');
    const step = capture(once);
    step.run();
    unfreeze(model);
    expect(() => step.run()).toThrow('sgd.step: body.weight was frozen when this step was captured');
    expect(opt.progress.step).toBe(2);
    const anew = capture(once);
    anew.run();
    expect(opt.progress.step).toBe(4);
    for (const t of [step, anew, opt, model, x, y]) t.dispose();
  });

  test.each([
    ['clipGradNorm', clipGradNorm(sgd({ lr: 0.1 }), { maxNorm: 1 })],
    ['sam', sam({ base: sgd({ lr: 0.1 }) })],
  ])('%s, whose norm is that of all gradients, wants its step captured anew', (name, optimizer) => {
    const model = net();
    const opt = optimizer.for(model);
    const { x, y } = inputs();
    const gradients = (): void => backward(sum(square(sub(model.forward(x), y))));
    const step = capture(() => {
      gradients();
      opt.step(gradients);
    });
    freeze(model, 'body.bias');
    expect(() => step.run()).toThrow(`${name}: body.bias was frozen after the step was captured; capture it anew`);
    for (const t of [step, opt, model, x, y]) t.dispose();
  });

  test('a name that matches nothing is refused', () => {
    const model = net();
    expect(() => freeze(model, 'boby.*')).toThrow("freeze: 'boby.*' matches no parameter; there are body.weight");
    expect(() => unfreeze(model, ['body.*', 'tail'])).toThrow("unfreeze: 'tail' matches no parameter");
    expect([...model.parameters.values()].every((p) => p.requiresGrad)).toBe(true);
    model.dispose();
  });
});

describe('several steps in one capture', () => {
  test('count each, at the rates of the run', async () => {
    const run = async (isCaptured: boolean): Promise<Float32Array> => {
      const a = arena();
      const opt = adam({ lr: 0.1 }).for(a);
      [...a.parameters.values()].forEach((p, i) => p.home!.grad.write(gradOf(i, 0)));
      const twice = (): void => {
        for (let k = 0; k < 2; k++) opt.step();
      };
      const step = isCaptured ? capture(twice) : null;
      if (!isCaptured) twice();
      for (let t = 0; t < 3; t++) {
        opt.lr = 0.1 / (t + 2);
        if (step) step.run();
        else twice();
      }
      expect(opt.progress.step).toBe(8);
      const out = await a.values.read();
      step?.dispose();
      for (const t of [opt, a]) t.dispose();
      return out;
    };
    expectSameBits(await run(true), await run(false), 'values');
  });
});
