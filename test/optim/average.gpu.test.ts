import { describe, expect, test } from 'vitest';
import { backward, capture, scope, tensor } from 'evenkeel';
import { crossEntropyLoss } from 'evenkeel/losses';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { crossEntropy } from 'evenkeel/ops';
import { ema, loadState, saveState, sgd, swa, swaLr, type WeightAverage } from 'evenkeel/optim';
import { evaluate, fit } from 'evenkeel/train';
import { expectSameBits, poison } from '../support/check-op.ts';
import { gpu } from '../support/gpu.ts';
import { sample } from '../support/sample.ts';
import { clusters } from '../support/synthetic.ts';

const at = (step: number, stepsPerEpoch = 1) => ({
  epoch: Math.floor(step / stepsPerEpoch),
  epochs: 10,
  step,
  stepsPerEpoch,
});

/** The average after each of `weights`, by steps of `average`. */
async function follow(rule: WeightAverage, weights: number[][], stepsPerEpoch = 1): Promise<number[][]> {
  const values = tensor(weights[0]!);
  const average = rule.for({ values, grads: values });
  const out: number[][] = [];
  for (const [i, w] of weights.entries()) {
    values.write(w);
    average.prepare(at(i, stepsPerEpoch));
    average.step();
    out.push(Array.from(await average.slots.average!.read()));
  }
  for (const t of [average, values]) t.dispose();
  return out;
}

const weights = Array.from({ length: 8 }, (_, i) => Array.from(sample([128], { seed: i + 1 }).data));

test('ema: 0.9 a + 0.1 p, the first step copies', async () => {
  let want = weights[0]!;
  (await follow(ema({ decay: 0.9 }), weights)).forEach((got, i) => {
    if (i > 0) want = want.map((a, k) => 0.9 * a + 0.1 * weights[i]![k]!);
    got.forEach((v, k) => expect(Math.abs(v - want[k]!)).toBeLessThan(1e-6));
  });
});

test('ema with decay 0 is the weights, bit for bit', async () =>
  expect(await follow(ema({ decay: 0 }), weights)).toEqual(weights));

describe('swa', () => {
  test('averages the ends of epochs from its first one on', async () => {
    // Two steps an epoch: ends are steps 1, 3, 5, 7; from epoch 1 on, steps 3, 5, 7.
    const got = await follow(swa({ from: 1 }), weights, 2);
    expect(got[2]).toEqual(new Array(128).fill(0));
    expect(got[3]).toEqual(weights[3]);
    expect(got[4]).toEqual(weights[3]);
    got[7]!.forEach((v, k) =>
      expect(Math.abs(v - (weights[3]![k]! + weights[5]![k]! + weights[7]![k]!) / 3)).toBeLessThan(1e-6),
    );
  });
  test('by step: all of them', async () => {
    const got = await follow(swa({ by: 'step' }), weights, 2);
    got[7]!.forEach((v, k) => expect(Math.abs(v - weights.reduce((t, w) => t + w[k]! / 8, 0))).toBeLessThan(1e-6));
  });
});

test('swap exchanges bits, and back: NaN and -0 included', async () => {
  poison([1024]);
  const bits = new Uint32Array(256).map((_, i) => Math.imul(i + 1, 2654435761));
  bits.set([0x7fc00001, 0x80000000, 0x7f800000, 0xff812345]);
  const values = tensor(new Float32Array(256).fill(2));
  using average = ema().for({ values, grads: values });
  average.step();
  gpu.write(values.storage, 0, bits);
  average.swap();
  expect([average.isSwapped, Array.from(await values.read())]).toEqual([true, new Array(256).fill(2)]);
  average.swap();
  expect(new Uint32Array((await values.read()).buffer)).toEqual(bits);
  values.dispose();
});

test('in fit: one dispatch a step, evaluation under averaged weights, and the trained ones come back', async () => {
  const [data, held] = [clusters({ n: 500, seed: 1 }), clusters({ n: 200, seed: 2 })];
  const model = Sequential(Linear(16, 32), ReLU(), Linear(32, 10));
  const loss = crossEntropyLoss();
  const average = swa({ from: 2 }).for(model);
  const scores: number[] = [];
  await fit(model, data, {
    loss,
    optimizer: sgd({ lr: 0.1, momentum: 0.9 }),
    epochs: 5,
    weightAverage: average,
    schedule: swaLr({ swaLr: 0.05, from: 2, annealEpochs: 2 }),
    onEpoch: async ({ epoch }) => {
      if (epoch >= 2) scores.push(await average.during(async () => (await evaluate(model, held)).accuracy));
    },
  });
  expect(average.progress.step).toBe(3);
  expect(scores).toHaveLength(3);
  expect(scores[2]).toBeGreaterThan(0.85);
  const trained = await model.arena.values.read();
  const averaged = await average.during(() => model.save());
  expectSameBits(await model.arena.values.read(), trained, 'after during');
  await expect(average.during(() => Promise.reject(new Error('inside')))).rejects.toThrow('inside');
  expectSameBits(await model.arena.values.read(), trained, 'after an error');
  // Left in the model by a swap without its counterpart.
  average.swap();
  average.dispose();
  expect(await model.save()).toEqual(averaged);
  for (const t of [model, loss]) t.dispose();
});

test('saved and restored, an average goes on bit by bit', async () => {
  const values = tensor(weights[0]!);
  const arena = { values, grads: values };
  const run = async (restore: boolean): Promise<Float32Array> => {
    let average = swa().for(arena);
    for (const [i, w] of weights.entries()) {
      if (restore && i === 4) {
        const bytes = await saveState(average);
        average.dispose();
        loadState((average = swa().for(arena)), bytes);
      }
      values.write(w);
      average.step();
    }
    const out = await average.slots.average!.read();
    average.dispose();
    return out;
  };
  expectSameBits(await run(true), await run(false), 'average');
  values.dispose();
});

test('errors', () => {
  expect(() => ema({ decay: 1 })).toThrow('ema: decay is 1, expected 0 <= decay < 1');
  expect(() => swa({ from: -1 })).toThrow('swa: from is -1, expected a finite number >= 0');
  expect(() => ema().for(null as never)).toThrow('ema.for: got null, expected a model');
  const values = tensor([1, 2, 3, 4]);
  const average = swa({ from: 3 }).for({ values, grads: values });
  average.prepare(at(0));
  average.step();
  expect(() => average.swap()).toThrow('swa: no weights are averaged yet');
  average.prepare(at(3));
  average.step();
  average.swap();
  const swapped = 'swa: the averaged weights are in the model, expected swap() before training goes on';
  expect(() => average.prepare(at(4))).toThrow(swapped);
  expect(() => average.step()).toThrow(swapped);
  for (const t of [average, average, values]) t.dispose();
  for (const use of [() => average.step(), () => average.swap(), () => average.slots])
    expect(use).toThrow('swa: the average is used after dispose');
});

describe("in a loop of one's own", () => {
  const net = () => Sequential(Linear(16, 32), ReLU(), Linear(32, 10)).init({ seed: 3 });
  const data = clusters({ n: 64, seed: 1 });

  test.each([false, true])('ema and swa average what each step gives, captured %s', async (isCaptured) => {
    using model = net();
    using opt = sgd({ lr: 0.1, momentum: 0.9 }).for(model);
    using average = ema({ decay: 0.9 }).for(model);
    using equal = swa({ from: 2 }).for(model);
    using x = tensor(data.x);
    const once = (): void => {
      backward(crossEntropy(model.forward(x), data.y));
      opt.step();
      average.step();
      equal.step();
    };
    const step = isCaptured ? capture(once) : null;
    if (!step) scope(once);
    const all = [await model.arena.values.read()];
    let moving = [...all[0]!];
    for (let t = 1; t < 6; t++) {
      if (step) step.run();
      else scope(once);
      const now = await model.arena.values.read();
      all.push(now);
      moving = moving.map((v, k) => 0.9 * v + 0.1 * now[k]!);
    }
    expect([average.progress.step, equal.progress.step]).toEqual([6, 6]);
    const [emas, means] = [await average.slots.average!.read(), await equal.slots.average!.read()];
    moving.forEach((v, k) => expect(Math.abs(emas[k]! - v)).toBeLessThan(1e-6));
    means.forEach((v, k) => expect(Math.abs(v - all.reduce((sum, w) => sum + w[k]! / 6, 0))).toBeLessThan(1e-6));
    expect((await model.predict(data.x, { weights: average })).data).not.toEqual((await model.predict(data.x)).data);
    step?.dispose();
  });

  test('a capture of both costs no dispatch more than without the average', () => {
    using model = net();
    using opt = sgd({ lr: 0.1 }).for(model);
    using average = ema().for(model);
    using plain = capture(() => opt.step());
    using both = capture(() => (opt.step(), average.step()));
    expect(both.dispatches).toBe(plain.dispatches);
  });

  test("the average of a run of fit goes on in a loop of one's own, where every step counts", async () => {
    using model = net();
    using average = swa({ from: 1 }).for(model);
    await fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), epochs: 3, weightAverage: average });
    expect(average.progress.step).toBe(2);
    average.step();
    expect(average.progress.step).toBe(3);
  });

  test('fit refuses a rule that is bound to no model, and the average of another', async () => {
    using model = net();
    using other = net();
    using average = ema().for(other);
    const run = (weightAverage: never) =>
      fit(model, data, { loss: crossEntropy, optimizer: sgd({ lr: 0.1 }), epochs: 1, weightAverage });
    await expect(run(ema() as never)).rejects.toThrow(
      'fit: weightAverage is bound to no model, expected for example ema().for(model)',
    );
    await expect(run(average as never)).rejects.toThrow('fit: weightAverage is that of another model');
  });
});
