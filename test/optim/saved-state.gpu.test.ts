import { describe, expect, test } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from 'evenkeel/io';
import { Linear, ReLU, Sequential } from 'evenkeel/nn';
import { adam, adamW, loadState, saveState, sgd, type Optimizer, type OptimizerState } from 'evenkeel/optim';
import { expectSameBits } from '../support/check-op.ts';
import '../support/gpu.ts';

const net = (hidden = 3): Sequential => Sequential(Linear(4, hidden), ReLU(), Linear(hidden, 2)).init({ seed: 0 });

/** A state after one step with gradient 1. */
async function used(model: Sequential, optimizer: Optimizer): Promise<OptimizerState> {
  const state = optimizer.for(model);
  model.arena.grads.write(new Float32Array(model.arena.grads.size).fill(1));
  state.lr = 0.1;
  state.step();
  return state;
}

test('a file names slots by parameter, with its shape, the rule and the step', async () => {
  const model = net();
  const state = await used(model, adam());
  const { tensors, metadata } = decodeSafetensors(await saveState(state));
  expect(Object.fromEntries([...tensors].map(([name, t]) => [name, t.shape]))).toEqual({
    'firstMoment.0.weight': [3, 4],
    'firstMoment.0.bias': [3],
    'firstMoment.2.weight': [2, 3],
    'firstMoment.2.bias': [2],
    'secondMoment.0.weight': [3, 4],
    'secondMoment.0.bias': [3],
    'secondMoment.2.weight': [2, 3],
    'secondMoment.2.bias': [2],
  });
  expect(tensors.get('firstMoment.2.bias')!.data).toEqual(Float32Array.from([0.1, 0.1]));
  expect(Object.fromEntries(metadata)).toEqual({ format: 'pt', optimizer: 'adam', step: '1', lr: '0.1' });
  for (const t of [state, model]) t.dispose();
});

test('a rule without slots saves its step', async () => {
  const model = net();
  const state = await used(model, sgd({ lr: 1 }));
  const fresh = sgd({ lr: 1 }).for(model);
  loadState(fresh, await saveState(state));
  expect(fresh.progress.step).toBe(1);
  for (const t of [state, fresh, model]) t.dispose();
});

describe('a file that does not fit is an error and changes nothing', () => {
  const edited =
    (change: (tensors: Map<string, never>, metadata: Map<string, string>) => void) => (bytes: Uint8Array) => {
      const { tensors, metadata } = decodeSafetensors(bytes);
      change(tensors as never, metadata);
      return encodeSafetensors(tensors as never, metadata);
    };
  const cases: [string, Optimizer, (bytes: Uint8Array) => Uint8Array, string][] = [
    ['another rule', adamW(), (b) => b, 'loadState: the file holds the state of adamW, expected that of adam'],
    [
      'no rule',
      adam(),
      edited((_, m) => m.delete('optimizer')),
      'loadState: the file holds the state of no optimiser, expected that of adam',
    ],
    [
      'no step',
      adam(),
      edited((_, m) => m.set('step', '1.5')),
      'loadState: step is 1.5, expected an integer of at least 0',
    ],
    [
      'an empty step',
      adam(),
      edited((_, m) => m.set('step', '')),
      'loadState: step is , expected an integer of at least 0',
    ],
    [
      'a step in hexadecimal',
      adam(),
      edited((_, m) => m.set('step', '0x10')),
      'loadState: step is 0x10, expected an integer of at least 0',
    ],
    [
      'a number that is not finite',
      adam(),
      edited((t) =>
        t.set('firstMoment.0.bias', { dtype: 'F32', shape: [3], data: Float32Array.of(1, NaN, 2) } as never),
      ),
      'loadState: element 1 of firstMoment.0.bias is NaN, expected finite numbers',
    ],
    [
      'a missing slot',
      adam(),
      edited((t) => t.delete('firstMoment.0.bias')),
      'loadState: missing [firstMoment.0.bias], not of this optimiser and model []',
    ],
    [
      'a slot too many',
      adam({ amsgrad: true }),
      (b) => b,
      'not of this optimiser and model ' +
        '[maxSecondMoment.0.bias,maxSecondMoment.0.weight,maxSecondMoment.2.bias,maxSecondMoment.2.weight]',
    ],
    [
      'another shape',
      adam(),
      edited((t) => t.set('firstMoment.0.bias', { dtype: 'F32', shape: [1, 3], data: new Float32Array(3) } as never)),
      'loadState: firstMoment.0.bias has shape [1,3], the model has [3]',
    ],
    [
      'another type',
      adam(),
      edited((t) => t.set('firstMoment.0.bias', { dtype: 'I32', shape: [3], data: new Int32Array(3) } as never)),
      'loadState: firstMoment.0.bias is I32, expected F32',
    ],
    ['no file', adam(), (b) => b.slice(0, 20), 'decodeSafetensors: header length is'],
  ];
  test.each(cases)('%s', async (_, optimizer, edit, message) => {
    const [from, to] = [net(), net()];
    const [source, state] = [await used(from, optimizer), await used(to, adam())];
    source.slots.firstMoment!.write(new Float32Array(from.arena.values.size).fill(7));
    source.progress.step = 9;
    const before = await state.slots.firstMoment!.read();
    const bytes = edit(await saveState(source));
    expect(() => loadState(state, bytes)).toThrow(message);
    expectSameBits(await state.slots.firstMoment!.read(), before, 'slot');
    expect(state.progress.step).toBe(1);
    for (const t of [source, state, from, to]) t.dispose();
  });
  test('another model', async () => {
    const [from, to] = [net(5), net()];
    const [source, state] = [await used(from, adam()), await used(to, adam())];
    const bytes = await saveState(source);
    expect(() => loadState(state, bytes)).toThrow(
      'loadState: firstMoment.0.weight has shape [5,4], the model has [3,4]',
    );
    for (const t of [source, state, from, to]) t.dispose();
  });
});
