import { describe, expect, test } from 'vitest';
import { helpText, parseFlags } from '../../src/cli/args.ts';
import { UsageError } from '../../src/cli/usage-error.ts';
import { choice, integer, list, number, text, toggle } from '../../src/cli/flags.ts';

const TABLE = {
  quick: toggle('fast'),
  epochs: integer('passes', null, { min: 1, max: 99 }),
  seed: integer('seed', 0),
  'imb-factor': number('imbalance', 0.01, { above: 0, max: 1 }),
  host: choice('where', ['chrome', 'node'], 'chrome'),
  loss: list('methods', ['ce', 'ldam-drw'], ['ce', 'ldam-drw']),
  out: text('folder', 'DIR', 'runs'),
};
const parse = (...args: string[]) => parseFlags(TABLE, args).values;

describe('parseFlags', () => {
  test('gives the fallbacks when nothing is given', () => {
    expect(parse()).toEqual({
      quick: false,
      epochs: null,
      seed: 0,
      'imb-factor': 0.01,
      host: 'chrome',
      loss: ['ce', 'ldam-drw'],
      out: 'runs',
    });
  });

  test('reads every kind of flag, with a space or an equals sign', () => {
    expect(
      parse('--quick', '--epochs', '3', '--imb-factor=0.5', '--host=node', '--loss', 'ce', '--out', 'a b'),
    ).toMatchObject({
      quick: true,
      epochs: 3,
      'imb-factor': 0.5,
      host: 'node',
      loss: ['ce'],
      out: 'a b',
    });
  });

  test('names words in order', () => {
    expect(parseFlags(TABLE, ['ldam-drw', '--seed', '2'], ['EXPERIMENT'])).toMatchObject({
      words: ['ldam-drw'],
      values: { seed: 2 },
    });
  });

  test.each([
    [['--bogus'], /unknown flag --bogus: expected one of --quick, --epochs/],
    [['--constructor'], /unknown flag --constructor/],
    [['-x'], /unknown flag -x/],
    [['--epochs', '0'], /--epochs is '0', expected an integer in 1\.\.99/],
    [['--epochs', '1.5'], /--epochs is '1\.5', expected an integer/],
    [['--epochs', ''], /--epochs is '', expected an integer/],
    [['--seed', '-1'], /--seed is '-1', expected an integer >= 0/],
    [['--epochs', '--seed', '1'], /--epochs has no value: expected --epochs N/],
    [['--out'], /--out has no value: expected --out DIR/],
    [['--imb-factor', '0'], /--imb-factor is '0', expected a number with 0 < X <= 1/],
    [['--imb-factor', 'nan'], /--imb-factor is 'nan'/],
    [['--host', 'deno'], /--host is 'deno', expected chrome or node/],
    [['--loss', 'ce,focal'], /--loss is 'ce,focal', expected one or more of ce, ldam-drw/],
    [['--quick=yes'], /--quick takes no value, got 'yes'/],
    [['surplus'], /unexpected word 'surplus'/],
  ])('refuses %j in one sentence', (args, message) => {
    expect(() => parse(...args)).toThrow(UsageError);
    expect(() => parse(...args)).toThrow(message);
  });
});

test('help shows each flag with its placeholder and default', () => {
  const help = helpText('evenkeel demo', 'What it does.', TABLE);
  expect(help).toContain('usage: evenkeel demo');
  expect(help).toMatch(/--imb-factor X +imbalance \(default: 0\.01\)/);
  expect(help).toMatch(/--loss ce,ldam-drw +methods \(default: ce,ldam-drw\)/);
  expect(help).toMatch(/--epochs N +passes$/m);
});
