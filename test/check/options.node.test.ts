import { describe, expect, test } from 'vitest';
import { expectOptions } from '../../src/check/options.ts';

interface Options {
  batchSize?: number;
  numBins?: number;
  gamma?: number;
  signal?: AbortSignal;
}
const known = ['batchSize', 'numBins', 'gamma', 'signal'] as const;
const check = (options: unknown) => expectOptions<Options>('f', options as Options, known);

describe('expectOptions', () => {
  test.each([undefined, {}, { batchSize: 3 }, { numBins: 15, gamma: 2 }, { typo: undefined }])(
    '%j passes',
    (options) => {
      expect(() => check(options)).not.toThrow();
    },
  );

  test.each([
    ['batchsize', 'batchSize'],
    ['batch_size', 'batchSize'],
    ['nbins', 'numBins'],
    ['gama', 'gamma'],
    ['singal', 'signal'],
  ])('%s suggests %s', (name, right) => {
    expect(() => check({ [name]: 1 })).toThrow(new TypeError(`f: unknown option '${name}', did you mean '${right}'?`));
  });

  test('a name like none lists all', () => {
    expect(() => check({ zzz: 1 })).toThrow(
      "f: unknown option 'zzz', expected one of batchSize, numBins, gamma, signal",
    );
    expect(() => expectOptions('f', { a: 1 } as object, [])).toThrow("f: unknown option 'a', expected none");
  });

  test.each([null, 3, 'mean'])('options that are %s are refused', (options) => {
    expect(() => check(options)).toThrow(`f: options are ${String(options)}, expected an object`);
  });
});
