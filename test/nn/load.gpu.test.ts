import { describe, expect, test } from 'vitest';
import { NonFiniteError, ShapeError } from 'evenkeel';
import { FormatError } from 'evenkeel/io';
import { BatchNorm, Linear, ReLU, Sequential, type LoadReport } from 'evenkeel/nn';
import { encodeSafetensors, type SafetensorsInput } from '../../src/io/index.ts';
import '../support/gpu.ts';

const net = () => Sequential({ body: Sequential(Linear(2, 3), BatchNorm(3), ReLU()), head: Linear(3, 2) });

const message = (act: () => unknown): Error => {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};

const bits = (values: readonly number[]): Uint32Array => new Uint32Array(Float32Array.from(values).buffer);

/** Half precision of numbers that have one, subnormals included. */
const half = (v: number): number => {
  if (Object.is(v, -0)) return 0x8000;
  if (v === 0) return 0;
  if (Math.abs(v) < 2 ** -14) return (v < 0 ? 0x8000 : 0) | Math.round(Math.abs(v) * 2 ** 24);
  const e = Math.floor(Math.log2(Math.abs(v)));
  return (v < 0 ? 0x8000 : 0) | ((e + 15) << 10) | Math.round((Math.abs(v) / 2 ** e - 1) * 1024);
};

describe('names, shapes and dtypes that do not fit', () => {
  test('all are listed in one error, names first; nothing is changed', async () => {
    using model = net().init({ seed: 1 });
    const before = await model.stateDict();
    const state: Map<string, { shape: readonly number[]; data: ArrayLike<number> }> = new Map(before);
    state.delete('head.bias');
    state.set('extra', { shape: [1], data: [1] });
    state.set('head.weight', { shape: [3, 2], data: new Float32Array(6) });
    state.set('body.0.bias', { shape: [3], data: [1, 2] });
    const error = message(() => model.loadStateDict(state));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toBe(
      'loadStateDict: missing [head.bias], not of this model [extra]; body.0.bias has shape [3] and 2 ' +
        'values, the model has [3]; head.weight has shape [3,2], the model has [2,3]',
    );
    expect(await model.stateDict()).toEqual(before);
    const onlyShapes = new Map(before).set('head.weight', { shape: [6], data: new Float32Array(6) });
    expect(message(() => model.loadStateDict(onlyShapes))).toBeInstanceOf(ShapeError);
    const file = encodeSafetensors(
      new Map<string, SafetensorsInput>(
        [...before].map(([name, { shape, data }]) => [
          name,
          name === 'head.bias' || name.endsWith('tracked')
            ? { dtype: 'U8', shape, data: Uint8Array.from(data) }
            : { dtype: 'F32', shape, data },
        ]),
      ),
    );
    expect(message(() => model.load(file)).message).toBe('load: head.bias is U8, expected F32');
  });

  test('a prefix is named, with the rename that takes it off', async () => {
    using model = net().init({ seed: 1 });
    using other = net().init({ seed: 2 });
    const state = await model.stateDict();
    const prefixed = new Map([...state].map(([name, value]) => [`module.net.${name}`, value]));
    const error = message(() => other.loadStateDict(prefixed));
    expect(error.message).toContain('loadStateDict: missing [body.0.weight,');
    expect(error.message).toContain(
      "; every name there begins with 'module.net.': pass rename: (name) => name.slice(11)",
    );
    other.loadStateDict(prefixed, { rename: (name) => name.slice(11) });
    expect(await other.stateDict()).toEqual(state);
    using wrapped = Sequential({ module: net() }).init();
    expect(message(() => wrapped.loadStateDict(state)).message).toContain(
      "; the names there lack 'module.': pass rename: (name) => 'module.' + name",
    );
    expect(() => other.loadStateDict(state, { rename: () => 'head.bias' })).toThrow(
      'loadStateDict: rename gave head.bias for both body.0.weight and body.0.bias',
    );
    expect(() => other.loadStateDict(state, { rename: () => undefined as never })).toThrow(
      'loadStateDict: rename gave undefined for body.0.weight, expected a name, or null to leave it out',
    );
  });

  test('strict: false takes what fits by name, says what it did, and still refuses other shapes', async () => {
    using model = net().init({ seed: 1 });
    using other = net().init({ seed: 2 });
    const [theirs, own] = [await model.stateDict(), await other.stateDict()];
    const part = new Map([...theirs].filter(([name]) => !name.startsWith('head'))).set(
      'classifier.weight',
      theirs.get('head.weight')!,
    );
    let report: LoadReport | null = null;
    other.loadStateDict(part, { strict: false, onReport: (r) => (report = r) });
    expect(report).toEqual({ missing: ['head.weight', 'head.bias'], unknown: ['classifier.weight'], converted: [] });
    const after = await other.stateDict();
    expect(after.get('head.weight')).toEqual(own.get('head.weight'));
    expect(after.get('body.0.weight')).toEqual(theirs.get('body.0.weight'));
    part.set('body.0.bias', { shape: [4], data: new Float32Array(4) });
    expect(() => other.loadStateDict(part, { strict: false })).toThrow(
      new ShapeError('loadStateDict: body.0.bias has shape [4], the model has [3]'),
    );
    expect(() => other.loadStateDict(part, { stric: false } as never)).toThrow(
      "loadStateDict: unknown option 'stric', did you mean 'strict'?",
    );
  });
});

test('F16, BF16 and F64 weights are converted, and the report says so', async () => {
  using model = Sequential(Linear(2, 4)).init();
  const values = [1.5, -0.25, 65504, 2 ** -24, -0, 2 ** -14, -3, 0.333251953125];
  const bf16 = values.map((v) => bits([v])[0]! >>> 16);
  const rounded = Array.from(new Float32Array(Uint32Array.from(bf16, (b) => b << 16).buffer));
  const raw = (dtype: 'F16' | 'BF16', words: readonly number[], shape: number[]): SafetensorsInput =>
    ({ dtype, shape, data: Uint16Array.from(words) }) as unknown as SafetensorsInput;
  const reports: LoadReport[] = [];
  const load = async (weight: SafetensorsInput, bias: SafetensorsInput): Promise<(number[] | Uint32Array)[]> => {
    model.load(
      encodeSafetensors(
        new Map([
          ['0.weight', weight],
          ['0.bias', bias],
        ]),
      ),
      { onReport: (r) => void reports.push(r) },
    );
    const state = await model.stateDict();
    return [bits(Array.from(state.get('0.weight')!.data)), Array.from(state.get('0.bias')!.data)];
  };
  const third = 1 / 3;
  expect(
    await load(raw('F16', values.map(half), [4, 2]), {
      dtype: 'F64',
      shape: [4],
      data: Float64Array.of(third, 1e-60, -1e30, 2 ** 0.5),
    }),
  ).toEqual([bits(values), [third, 1e-60, -1e30, 2 ** 0.5].map(Math.fround)]);
  expect(
    (await load(raw('BF16', bf16, [4, 2]), { dtype: 'F32', shape: [4], data: Float32Array.of(1, 2, 3, 4) }))[0],
  ).toEqual(bits(rounded));
  expect(reports.map((r) => r.converted)).toEqual([
    [
      { name: '0.weight', from: 'F16' },
      { name: '0.bias', from: 'F64' },
    ],
    [{ name: '0.weight', from: 'BF16' }],
  ]);
  const file = encodeSafetensors(
    new Map<string, SafetensorsInput>([
      ['0.weight', raw('F16', values.map(half), [4, 2])],
      ['0.bias', { dtype: 'F64', shape: [4], data: Float64Array.of(1, 1e39, 3, 4) }],
    ]),
  );
  expect(() => model.load(file)).toThrow(
    new NonFiniteError('load: 0.bias[1] is 1e+39, beyond f32; pass allowNonFinite: true to load it all the same'),
  );
});

test('weights that are not finite are refused by name, unless told otherwise', async () => {
  using model = net().init({ seed: 1 });
  const before = await model.stateDict();
  const state = new Map([...before].map(([name, { shape, data }]) => [name, { shape, data: data.slice() }]));
  state.get('body.0.weight')!.data[4] = NaN;
  state.get('body.1.running_var')!.data[0] = Infinity;
  const text =
    'body.0.weight[4] is NaN; body.1.running_var[0] is Infinity; pass allowNonFinite: true to load it all the same';
  expect(() => model.loadStateDict(state)).toThrow(new NonFiniteError(`loadStateDict: ${text}`));
  expect(await model.stateDict()).toEqual(before);
  model.loadStateDict(state, { allowNonFinite: true });
  const after = await model.stateDict();
  expect(after.get('body.0.weight')!.data[4]).toBeNaN();
  const bytes = await model.save();
  using other = net().init();
  expect(() => other.load(bytes)).toThrow(`load: ${text}`);
  expect(await other.load(bytes, { allowNonFinite: true }).stateDict()).toEqual(after);
});
