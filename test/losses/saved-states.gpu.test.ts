import { describe, expect, test } from 'vitest';
import { NdArray, requireGrad, tensor, type Tensor } from 'evenkeel';
import { absgd, cals, calsHr, crossEntropyLoss, elr, groupDro, truncatedGce } from 'evenkeel/losses';
import { readAll } from '../support/check-op.ts';

type State = number[] | Float32Array | Record<string, unknown>;

interface Kept {
  state(): unknown;
  setState(state: never): void;
  dispose(): void;
}

/** A loss that carries something from step to step. */
interface Case {
  make: () => Kept;
  /** One step that moves the state, and gives the value. */
  step: (loss: Kept, at: number) => Promise<Float32Array>;
  /** Changes of a saved state that are refused. */
  wrong: ((state: never) => unknown)[];
}

const z = Float32Array.from({ length: 12 }, (_, i) => Math.sin(7 * i) * 2);
const logits = (at: number): Tensor =>
  requireGrad(
    tensor(
      z.map((v) => v * (1 + at)),
      { shape: [4, 3] },
    ),
  );
const labels = [0, 2, 1, 1];
const value = async (make: () => Tensor): Promise<Float32Array> => (await readAll(() => [make()]))[0]!;
const index = (): Tensor<'u32'> => tensor([3, 0, 2, 4], { dtype: 'u32' });
const list =
  (at: number, v: unknown) =>
  (state: number[]): unknown =>
    Array.from(state, (w, i) => (i === at ? v : w));
const field =
  (name: string, v: unknown) =>
  (state: Record<string, unknown>): unknown => ({ ...state, [name]: v });
const notNumbers = [null, NaN, Infinity, '1', undefined];

const cases: Record<string, Case> = {
  'absgd, lambda = Infinity': {
    make: () => absgd(crossEntropyLoss(), { lambda: Infinity }),
    step: (loss, at) => value(() => (loss as ReturnType<typeof absgd>)(logits(at), labels)),
    wrong: [
      ...notNumbers.filter((v) => v !== Infinity).map((v) => field('lambda', v === '1' ? 'infinite' : v)),
      ...['logU', 'logMass'].flatMap((name) => notNumbers.map((v) => field(name, v))),
    ],
  },
  'absgd, lambda = 0.7': {
    make: () => absgd(crossEntropyLoss(), { lambda: 0.7 }),
    step: (loss, at) => value(() => (loss as ReturnType<typeof absgd>)(logits(at), labels)),
    wrong: [field('lambda', 0), field('lambda', 1e-40), field('lambda', null)],
  },
  groupDro: {
    make: () => groupDro(crossEntropyLoss(), { groupCounts: [9, 3], eta: 0.3 }),
    step: (loss, at) =>
      value(() => (loss as ReturnType<typeof groupDro>)(logits(at), labels, { groups: [0, 1, 1, 0] })),
    wrong: [
      ...notNumbers.map((v) => list(1, v)),
      list(2, -0.1),
      list(3, 1.5),
      (state: number[]) => state.slice(1),
      () => ({}),
    ],
  },
  'groupDro, greedy': {
    make: () => groupDro(crossEntropyLoss(), { groupCounts: [9, 3, 0], rule: 'greedy' }),
    step: (loss, at) =>
      value(() => (loss as ReturnType<typeof groupDro>)(logits(at), labels, { groups: [0, 1, 1, 0] })),
    wrong: [list(0, null), list(5, 2)],
  },
  elr: {
    make: () => elr({ numSamples: 5, numClasses: 3 }),
    step: (loss, at) => value(() => (loss as ReturnType<typeof elr>).loss(logits(at), labels, index())),
    wrong: [
      ...notNumbers.map((v) => list(4, v)),
      list(0, -0.1),
      list(0, 1.1),
      (state: number[]) => state.slice(1),
      () => ({ 0: 1 }),
    ],
  },
  truncatedGce: {
    make: () => truncatedGce({ numSamples: 5 }),
    step: (loss, at) => {
      if (at === 0)
        (loss as ReturnType<typeof truncatedGce>).update(
          new NdArray(
            Float32Array.from({ length: 15 }, (_, i) => Math.sin(i) * 3),
            [5, 3],
          ),
          [0, 1, 2, 0, 1],
        );
      return value(() => (loss as ReturnType<typeof truncatedGce>).loss(logits(at), labels, index()));
    },
    wrong: [...notNumbers.map((v) => list(4, v)), list(0, 0.5), (state: number[]) => state.slice(1)],
  },
  ...Object.fromEntries(
    [
      ['cals', () => cals({ numClasses: 3, margin: 1 })] as const,
      ['calsHr', () => calsHr({ numClasses: 3, margin: 1 })] as const,
    ].map(([name, make]): [string, Case] => [
      name,
      {
        make,
        step: (loss, at) => {
          const l = loss as ReturnType<typeof cals>;
          l.observe({ data: z.map((v) => v * (2 + at)), shape: [4, 3] });
          l.epochEnd();
          return value(() => l(logits(at), labels));
        },
        wrong: [
          ...['lambda', ...(name === 'cals' ? ['rho'] : [])].flatMap((f) =>
            [...notNumbers, [1, 2], [1, 2, null], [1, 2, -1], '123'].map((v) => field(f, v)),
          ),
          ...[1, [1, 2], [1, NaN, 2], undefined].map((v) => field('previous', v)),
          ...[...notNumbers, -1, 0.5].map((v) => field('epoch', v)),
        ],
      },
    ]),
  ),
};

describe.each(Object.entries(cases))('%s', (_name, { make, step, wrong }) => {
  test('its state goes through JSON and back, and the run goes on bit by bit', async () => {
    const [loss, other, direct] = [make(), make(), make()];
    const first = JSON.stringify(await loss.state());
    await step(loss, 0);
    const state = (await loss.state()) as State;
    const text = JSON.stringify(state);
    const want = await step(loss, 1);
    other.setState(JSON.parse(text) as never);
    expect(JSON.stringify(await other.state())).toBe(text);
    expect(await step(other, 1)).toEqual(want);
    direct.setState(state as never);
    expect(await step(direct, 1)).toEqual(want);
    // The state of before the first step, too.
    other.setState(JSON.parse(first) as never);
    await step(other, 0);
    expect(JSON.stringify(await other.state())).toBe(text);
    for (const l of [loss, other, direct]) l.dispose();
  });

  test('refuses any field that is not what it must be, and keeps what it has', async () => {
    const loss = make();
    await step(loss, 0);
    const state = await loss.state();
    const text = JSON.stringify(state);
    for (const change of [...wrong, () => null, () => 3, () => undefined]) {
      const changed = change(state as never);
      expect(() => loss.setState(changed as never), JSON.stringify(changed)).toThrow(
        /the state|of the state|lambda is|logU|entries/,
      );
      expect(JSON.stringify(await loss.state())).toBe(text);
    }
    loss.dispose();
  });
});
