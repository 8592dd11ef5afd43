import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseFlags } from '../../src/cli/args.ts';
import { UsageError } from '../../src/cli/usage-error.ts';
import { parametersOf, permuted } from './contestant.ts';
import { FLAGS } from './flags.ts';
import { installPeers, PEERS } from './install.ts';
import { FIRST_MLP, NAMES, select, WORKLOADS } from './workloads.ts';

const only = (text: string): readonly string[] => parseFlags(FLAGS, ['--only', text]).values.only;

describe('workloads', () => {
  test('have names of their own, and all kinds that the plan asks for', () => {
    expect(new Set(NAMES).size).toBe(NAMES.length);
    expect([...new Set(WORKLOADS.map(({ work }) => work.kind))].sort()).toEqual([
      'batch-norm',
      'certify',
      'cnn',
      'conv',
      'distance',
      'elementwise',
      'linf-mlp',
      'matmul',
      'mlp',
      'reduce',
      'resnet',
      'softmax',
    ]);
    expect(WORKLOADS.filter((w) => w.hardwareOnly).map(({ name }) => name)).toEqual([
      'matmul-2048',
      'matmul-4096',
      ...[1, 2, 3].flatMap((i) => [`conv-resnet${i}-128`, `conv-resnet${i}-128-gradients`]),
      'resnet20',
      'resnet32',
    ]);
  });

  test('count operations and bytes', () => {
    const of = (name: string) => WORKLOADS.find((w) => w.name === name)!;
    expect(of('matmul-tall')).toMatchObject({
      operations: 2 * 4096 * 10 * 256,
      bytes: 4 * (4096 * 256 + 256 * 10 + 4096 * 10),
    });
    expect(of('conv-lenet2')).toMatchObject({
      operations: 2 * 64 * 50 * 64 * 500,
      bytes: 4 * (64 * (20 * 144 + 50 * 64) + 50 * 500),
    });
    expect(of('conv-lenet2-gradients').operations).toBe(3 * of('conv-lenet2').operations!);
  });

  test('the models have the shapes of PyTorch', () => {
    const cnn = WORKLOADS.find(({ name }) => name === 'cnn')!.work;
    const shapes = [...parametersOf(cnn as never)].map(([name, { shape }]) => `${name} ${shape}`);
    expect(shapes.filter((s) => s.includes('weight'))).toEqual([
      'conv1.weight 24,1,5,5',
      'conv2.weight 32,24,3,3',
      'fc1.weight 128,800',
      'fc2.weight 10,128',
    ]);
    expect([...parametersOf(FIRST_MLP).keys()]).toEqual([
      'fc1.weight',
      'fc1.bias',
      'fc2.weight',
      'fc2.bias',
      'fc3.weight',
      'fc3.bias',
    ]);
  });
});

describe('--only', () => {
  test('takes names and beginnings, in the order of the table', () => {
    expect(only('mlp')).toEqual(['mlp']);
    expect(only('cold-start, mlp-')).toEqual([
      'mlp-batch-32',
      'mlp-batch-512',
      'mlp-width-64',
      'mlp-width-1024',
      'cold-start',
    ]);
    expect(select(['matmul-512'])).toEqual(['matmul-512']);
    expect(parseFlags(FLAGS, []).values.only).toEqual(NAMES);
  });

  test.each(['warp', 'mlp,warp', ''])("refuses '%s' in one sentence", (text) => {
    expect(() => only(text)).toThrow(UsageError);
    expect(() => only(text)).toThrow(
      /--only is '.*', expected names of workloads, or their beginnings, separated by commas: matmul-256, /,
    );
  });
});

test('permuted is a transpose', () => {
  expect([...permuted(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], [1, 0])]).toEqual([1, 4, 2, 5, 3, 6]);
});

describe('installPeers', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'evenkeel-bench-'));
    writeFileSync(join(folder, 'package-lock.json'), '{}');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const put = (name: string): void => {
    mkdirSync(join(folder, 'node_modules', name, '..'), { recursive: true });
    writeFileSync(join(folder, 'node_modules', name), '{}');
  };

  test('runs npm once, in the folder of the benchmark', () => {
    const calls: string[] = [];
    const npm = (args: readonly string[], where: string): boolean => {
      calls.push(`${args[0]} ${where}`);
      for (const peer of PEERS) {
        mkdirSync(join(folder, 'node_modules', peer), { recursive: true });
        put(`${peer}/package.json`);
      }
      put('.package-lock.json');
      return true;
    };
    installPeers(folder, npm);
    installPeers(folder, npm);
    expect(calls).toEqual([`ci ${folder}`]);
    expect(existsSync(join(folder, 'node_modules', PEERS[0]!))).toBe(true);
  });

  test.each([true, false])('says what is missing, npm having ended with success: %s', (status) => {
    expect(() => installPeers(folder, () => status)).toThrow(
      /^the peers could not be installed in .* \(@jax-js\/jax is missing\): check the network and the npm registry, or give --host node$/,
    );
  });
});
