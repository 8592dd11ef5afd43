import { expect, test } from 'vitest';
import { scope, tensor } from 'evenkeel';
import * as random from 'evenkeel/random';

type Any = any;
const key = random.key(1);

/** Every draw: a call with `options`, a misspelt name and the one to suggest. */
const calls: Record<string, [run: (options: Any) => unknown, wrong: string, right: string]> = {
  bits: [(o) => random.bits([2], key, o), 'streams', 'stream'],
  uniform: [(o) => random.uniform([2], key, o), 'lo', 'low'],
  hostUniform: [(o) => random.hostUniform(1, 2, key, o), 'hig', 'high'],
  normal: [(o) => random.normal([2], key, o), 'sdt', 'std'],
  hostNormal: [(o) => random.hostNormal(1, 2, key, o), 'means', 'mean'],
  addNormal: [(o) => random.addNormal(tensor([1, 2]), key, { std: 1, ...o }), 'counts', 'count'],
  bernoulli: [(o) => random.bernoulli([2], key, o), 'P', 'p'],
  hostBernoulli: [(o) => random.hostBernoulli(1, 2, key, o), 'frist', 'first'],
  randint: [(o) => random.randint([2], key, { high: 3, ...o }), 'lower', 'low'],
  hostRandint: [(o) => random.hostRandint(1, 2, key, { high: 3, ...o }), 'Low', 'low'],
  exponential: [(o) => random.exponential([2], key, o), 'rates', 'rate'],
  hostExponential: [(o) => random.hostExponential(1, 2, key, o), 'rat', 'rate'],
  gumbel: [(o) => random.gumbel([2], key, o), 'scal', 'scale'],
  hostGumbel: [(o) => random.hostGumbel(1, 2, key, o), 'locc', 'loc'],
  gamma: [(o) => random.gamma([2], key, { concentration: 1, ...o }), 'rte', 'rate'],
  beta: [(o) => random.beta([2], key, { a: 1, b: 1, ...o }), 'A', 'a'],
  dirichlet: [(o) => random.dirichlet([2], key, { concentration: [1, 1], ...o }), 'concentrations', 'concentration'],
  hostGamma: [(o) => random.hostGamma(1, 2, key, { concentration: 1, ...o }), 'Rate', 'rate'],
  hostBeta: [(o) => random.hostBeta(1, 2, key, { a: 1, b: 1, ...o }), 'B', 'b'],
  hostDirichlet: [
    (o) => random.hostDirichlet(1, 2, key, { concentration: [1, 1], ...o }),
    'concentratio',
    'concentration',
  ],
  categorical: [(o) => random.categorical({ logits: tensor([0, 1]) }, key, o), 'Count', 'count'],
  hostCategorical: [(o) => random.hostCategorical({ logits: [0, 1] }, [1, 1, 2], key, o), 'cout', 'count'],
  permutation: [(o) => random.permutation(4, key, o), 'strem', 'stream'],
  hostPermutation: [(o) => random.hostPermutation(4, key, o), 'firts', 'first'],
};

test.each(Object.entries(calls))('%s refuses an unknown option', (name, [run, wrong, right]) =>
  scope(() => {
    const said = `${name}: unknown option '${wrong}', `;
    expect(() => run({ [wrong]: 1 })).toThrow(said);
    expect(() => run({ [wrong]: 1 })).toThrow(new RegExp(`did you mean '${right}'|expected one of .*\\b${right}\\b`));
    run({});
  }),
);

test('a misspelt kind of class weights', () => {
  scope(() => {
    expect(() => random.categorical({ logit: tensor([0, 1]) } as never, key)).toThrow(
      "categorical: unknown option 'logit', did you mean 'logits'?",
    );
  });
});

test('every draw that takes options is in the table', () => {
  const sources = import.meta.glob('../../src/random/*.ts', {
    query: '?raw',
    import: 'default',
    eager: true,
  }) as Record<string, string>;
  const named = Object.values(sources).flatMap((text) =>
    [...text.matchAll(/(?:expectOptions|checkOptions)(?:<[^(]*>)?\('(\w+)'/g)].map((m) => m[1]!),
  );
  expect([...new Set(named)].sort()).toEqual(Object.keys(calls).sort());
});
