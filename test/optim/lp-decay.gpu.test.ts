import { describe, expect, test } from 'vitest';
import { capture, tensor } from 'evenkeel';
import { linfDistMlp } from 'evenkeel/nn';
import { lpDecayAdamW } from 'evenkeel/optim';
import { Arena } from '../../src/nn/arena.ts';
import file from '../golden/linf-dist.json';
import { expectWithin, poison } from '../support/check-op.ts';
import { casesOf, dense, flat, toNumber } from '../support/golden.ts';
import { gpu } from '../support/gpu.ts';
import { close } from '../support/tolerance.ts';

const arenaWith = (values: Record<string, [shape: number[], data: readonly number[]]>): Arena =>
  new Arena(
    gpu,
    new Map(Object.entries(values).map(([name, [shape, data]]) => [name, { shape, data: Float32Array.from(data) }])),
  );

describe("the authors' first code", () => {
  test.each(casesOf(file, 'lpWeightDecayAdamW'))(
    '$name',
    async ({ inputs, outputs, options: { p, betas, ...rest } }) => {
      poison([4096]);
      const { data, shape } = dense(inputs.w);
      const isDistance = p !== null;
      const arena = arenaWith({
        'dist1.weight': [isDistance ? shape : [1, 1], isDistance ? data : [1]],
        other: [shape, data],
      });
      const optimizer = lpDecayAdamW({
        ...rest,
        betas: betas as [number, number],
        power: { value: isDistance ? toNumber(p) : 8 },
      });
      const state = optimizer.for(arena);
      const of = arena.parameters.get(isDistance ? 'dist1.weight' : 'other')!;
      for (let t = 1; t <= 5; t++) {
        of.home!.grad.write(flat(inputs[`grad${t}`]));
        state.step();
        expectWithin(
          await of.read(),
          { data: Float64Array.from(flat(outputs[`w${t}`])), shape },
          close(1e-5, 1e-6),
          `step ${t}`,
        );
      }
      for (const t of [state, arena]) t.dispose();
    },
  );
});

/** The weights after one step without a gradient, which is decay alone: rate 0.5. */
async function decayed(shape: number[], data: readonly number[], p: number): Promise<number[]> {
  const arena = arenaWith({ 'dist1.weight': [shape, data] });
  const state = lpDecayAdamW({ lr: 1, weightDecay: 0.5, power: { value: p } }).for(arena);
  state.step();
  const after = Array.from(await arena.parameters.get('dist1.weight')!.read());
  for (const t of [state, arena]) t.dispose();
  return after;
}

describe('identities', () => {
  test.each([2, 8, 64, 1000, Infinity])('one entry that is not zero decays plainly, p = %d', async (p) => {
    expect(await decayed([2, 3], [0, -4, 0, 2, 0, 0], p)).toEqual([
      0,
      expect.closeTo(-2, 5),
      0,
      expect.closeTo(1, 5),
      0,
      0,
    ]);
  });

  test.each([2, 8, 64, 1000])('d equal entries decay by d^(-(p-2)/p), p = %d', async (p) => {
    for (const v of await decayed([1, 33], new Array(33).fill(3), p))
      expect(v).toBeCloseTo(3 * (1 - 0.5 * 33 ** (-(p - 2) / p)), 5);
  });

  test('at infinity the largest entry of a row decays alone, the first of equals; filters are rows', async () => {
    expect(await decayed([2, 1, 1, 3], [1, -4, 2, 3, 3, 1], Infinity)).toEqual([1, -2, 2, 1.5, 3, 1]);
  });
});

test(
  'a captured step follows the power, biases decay fully, frozen ' + 'weights stay; one dispatch more than adamW',
  async () => {
    using net = linfDistMlp([3, 4, 2]).init({ seed: 1 });
    const names = [...net.parameters.keys()];
    expect(names.filter((n) => n.endsWith('weight'))).toEqual(['dist1.weight', 'dist2.weight']);
    net.parameters.get('dist2.weight')!.requiresGrad = false;
    net.parameters.get('bias.bias')!.write([1, 2]);
    net.arena.grads.write(new Float32Array(net.arena.grads.size));
    net.power.set(2);
    const state = lpDecayAdamW({ lr: 1, weightDecay: 0.5, power: net.power }).for(net);
    const before = await net.arena.values.read();
    const step = capture(() => state.step());
    expect(step.dispatches).toBe(2);
    const read = async (name: string): Promise<number[]> => Array.from(await net.parameters.get(name)!.read());
    const at = (name: string): number[] => {
      const { offset, size } = net.parameters.get(name)!;
      return Array.from(before.slice(offset, offset + size));
    };
    const half = at('dist1.weight').map((v) => v / 2);
    (await read('dist1.weight')).forEach((v, i) => expect(v).toBeCloseTo(half[i]!, 5));
    expect(await read('bias.bias')).toEqual([0.5, 1]);
    expect(await read('dist2.weight')).toEqual(at('dist2.weight'));
    net.power.set(Infinity);
    step.run();
    // Of each row the -5 that was the identity's -10 shrinks.
    const after = await read('dist1.weight');
    after.forEach((v, i) => expect(v).toBeCloseTo(i % 3 === Math.floor(i / 3) % 3 ? half[i]! / 2 : half[i]!, 5));
    for (const t of [step, state]) t.dispose();
  },
);

test('errors', () => {
  const [values, grads] = [tensor([1, 2, 3, 4]), tensor([0, 0, 0, 0])];
  expect(() => lpDecayAdamW({ power: { value: 8 } }).for({ values, grads })).toThrow(
    'lpDecayAdamW: no parameter is the weight of a distance layer; name them by distances: (name) => ...',
  );
  expect(() => lpDecayAdamW({ power: { value: 8 }, distances: () => true }).for({ values, grads })).toThrow(
    'lpDecayAdamW:  has shape [4], expected the weight of a distance layer, a row a neuron',
  );
  expect(() => lpDecayAdamW({ power: { value: 0.5 } })).toThrow(
    'lpDecayAdamW: power.value is 0.5, expected a number from 1 to Infinity, as model.power has',
  );
  expect(() => lpDecayAdamW({ power: { value: 8 }, weightDecay: -1 })).toThrow(
    'lpDecayAdamW: weightDecay is -1, expected a finite number >= 0',
  );
  for (const t of [values, grads]) t.dispose();
});
