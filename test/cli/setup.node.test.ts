import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { writeAll, writeOne } from '../../src/cli/files.ts';
import { needsBuild, needsInstall } from '../../src/cli/freshness.mjs';
import { CORE_RUNS, CORE_TESTS, STACKS, testFlags } from '../../src/cli/stacks.mjs';
import { countTests, slowestFiles } from '../../src/cli/test-counts.mjs';
import { vulkanEnv } from '../../src/cli/vulkan.mjs';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'evenkeel-setup-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A file that changed `age` seconds ago. */
function put(name: string, age: number): string {
  const file = join(root, name);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, name);
  utimesSync(file, Date.now() / 1000 - age, Date.now() / 1000 - age);
  return file;
}

/** Writes files one after the other, and what is needed after each. */
function expectAfter(
  needs: (root: string) => boolean,
  changes: readonly (readonly [name: string, age: number, needed: boolean])[],
): void {
  for (const [name, age, needed] of changes) {
    put(name, age);
    expect(needs(root), `${name}, ${age} s`).toBe(needed);
  }
}

describe('needsInstall', () => {
  test('when nothing is installed, or the lock file is newer', () => {
    expectAfter(needsInstall, [
      ['package-lock.json', 100, true],
      ['node_modules/.package-lock.json', 50, false],
      ['package-lock.json', 10, true],
    ]);
  });
});

describe('needsBuild', () => {
  test('when a part is missing or a source is newer; written declarations do not count', () => {
    expectAfter(needsBuild, [
      ['src/cli/main.ts', 100, true],
      ['shaders/lib/x.wgsl', 100, true],
      ['package.json', 100, true],
      ['dist/cli/main.js', 50, true],
      ['dist/cli/page.js', 50, false],
      ['shaders/x.d.wgsl.ts', 10, false],
      ['examples/reproduce/lib/x.ts', 10, true],
      ['examples/reproduce/lib/x.ts', 100, false],
      ['shaders/lib/x.wgsl', 10, true],
    ]);
  });
});

describe('countTests', () => {
  const file = (...statuses: string[]) => ({
    status: statuses.includes('failed') ? 'failed' : 'passed',
    assertionResults: statuses.map((status) => ({ status })),
  });

  test('counts tests, and files that did not load', () => {
    expect(countTests({ testResults: [file('passed', 'passed'), file('passed', 'failed', 'skipped')] }, 1)).toEqual({
      passed: 3,
      failed: 1,
    });
    expect(countTests({ testResults: [file('passed'), { status: 'failed', assertionResults: [] }] }, 1)).toEqual({
      passed: 1,
      failed: 1,
    });
  });

  test('takes no report, no test, and a failure outside of tests for a failure', () => {
    expect(countTests(null, 0)).toEqual({ passed: 0, failed: 1 });
    expect(countTests({ testResults: [] }, 0)).toEqual({ passed: 0, failed: 1 });
    expect(countTests({ testResults: [file('passed')] }, 1)).toEqual({ passed: 1, failed: 1 });
    expect(countTests({ testResults: [file('passed')] }, 0)).toEqual({ passed: 1, failed: 0 });
  });
});

test('the slowest files of all runs are named, the slowest first', () => {
  const file = (name: string, ms: number) => ({ name: join('/root', name), startTime: 5000, endTime: 5000 + ms });
  const reports = [
    { testResults: [file('test/a.test.ts', 1234), file('test/b.test.ts', 90)] },
    null,
    { testResults: [file('test/c.test.ts', 61_000)] },
  ];
  expect(slowestFiles(reports, '/root', 2)).toEqual(['61.0 s test/c.test.ts', '1.2 s test/a.test.ts']);
  expect(slowestFiles(reports, '/root')).toHaveLength(3);
});

describe('vulkanEnv', () => {
  const linux = { platform: 'linux', env: {}, hardware: false };
  const icd = (): string => join(root, 'chrome/vk_swiftshader_icd.json');

  test('points at the driver beside Chrome, also behind a launcher script', () => {
    const chrome = put('chrome/chrome', 0);
    put('chrome/vk_swiftshader_icd.json', 0);
    expect(vulkanEnv(chrome, join(root, 'cache'), linux)).toMatchObject({
      VK_ICD_FILENAMES: icd(),
      XDG_RUNTIME_DIR: join(root, 'cache'),
    });
  });

  test('only adds to the drivers of a machine with a graphics device', () => {
    const chrome = put('chrome/chrome', 0);
    put('chrome/vk_swiftshader_icd.json', 0);
    const env = vulkanEnv(chrome, join(root, 'cache'), { ...linux, hardware: true });
    expect(env).toMatchObject({ VK_ADD_DRIVER_FILES: icd() });
    expect(env).not.toHaveProperty('VK_ICD_FILENAMES');
  });

  test('lends the loader where the system has none, and nothing else of that folder', () => {
    const chrome = put('chrome/chrome', 0);
    put('chrome/vk_swiftshader_icd.json', 0);
    put('chrome/libvulkan.so.1', 0);
    const { LD_LIBRARY_PATH } = vulkanEnv(chrome, join(root, 'cache'), linux);
    if (LD_LIBRARY_PATH === undefined) {
      expect(
        ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib', '/lib64', '/lib'].some(
          (path) => existsSync(join(path, 'libvulkan.so.1')),
        ),
      ).toBe(true);
    } else {
      expect(readdirSync(LD_LIBRARY_PATH)).toEqual(['libvulkan.so.1']);
      expect(readlinkSync(join(LD_LIBRARY_PATH, 'libvulkan.so.1'))).toBe(join(root, 'chrome/libvulkan.so.1'));
    }
  });

  test("leaves the user's choice and other systems alone", () => {
    const chrome = put('chrome/chrome', 0);
    put('chrome/vk_swiftshader_icd.json', 0);
    const own = { VK_ICD_FILENAMES: '/own.json', XDG_RUNTIME_DIR: '/run/user/0' };
    expect(vulkanEnv(chrome, join(root, 'cache'), { ...linux, env: own })).toEqual({});
    expect(vulkanEnv(chrome, join(root, 'cache'), { ...linux, platform: 'darwin' })).toEqual({});
  });
});

describe('writeAll', () => {
  test('writes all files and leaves nothing else', async () => {
    await writeAll(
      join(root, 'a/b'),
      new Map<string, string | Uint8Array>([
        ['x.txt', 'one'],
        ['y.bin', new Uint8Array([1])],
      ]),
    );
    expect(readdirSync(join(root, 'a/b')).sort()).toEqual(['x.txt', 'y.bin']);
    await writeOne(join(root, 'a/b/x.txt'), 'two');
    expect(readFileSync(join(root, 'a/b/x.txt'), 'utf8')).toBe('two');
  });

  test('leaves old files as they were when one cannot be written', async () => {
    await writeOne(join(root, 'x.txt'), 'old');
    await expect(
      writeAll(
        root,
        new Map([
          ['x.txt', 'new'],
          ['no/such/folder.txt', 'bad'],
        ]),
      ),
    ).rejects.toThrow();
    expect(readdirSync(root)).toEqual(['x.txt']);
    expect(readFileSync(join(root, 'x.txt'), 'utf8')).toBe('old');
  });
});

test('the core tests are files that exist, and no stack is without losses, optimisers and training', () => {
  for (const name of CORE_TESTS) expect(existsSync(`${name}.test.ts`), name).toBe(true);
  expect(CORE_RUNS.map(({ stack }) => stack)).toEqual(['chrome', 'lavapipe', 'deno']);
  for (const { stack, tests } of CORE_RUNS)
    for (const folder of ['ops', 'losses', 'optim', 'train'])
      expect(tests.join(' '), stack).toContain(`test/${folder}/`);
});

describe('words after npm test', () => {
  test('name a stack and a tuning, and leave the rest to vitest', () => {
    expect(testFlags([])).toEqual({ stack: 'chrome', tuning: '', rest: [] });
    expect(testFlags(['--stack', 'deno', 'test/ops', '-t', 'x'])).toEqual({
      stack: 'deno',
      tuning: '',
      rest: ['test/ops', '-t', 'x'],
    });
    expect(testFlags(['test/ops', '--tuning=hardware', '--stack=all'])).toEqual({
      stack: 'all',
      tuning: 'hardware',
      rest: ['test/ops'],
    });
    for (const stack of STACKS) expect(testFlags(['--stack', stack]).stack).toBe(stack);
  });

  test.each([
    [
      ['--stack', 'safari'],
      'test: --stack is safari, expected one of chrome, node, lavapipe, deno, firefox, core, all',
    ],
    [['--stack'], 'test: --stack is missing, expected one of chrome, node, lavapipe, deno, firefox, core, all'],
    [['--tuning=fast'], 'test: --tuning is fast, expected one of hardware, software'],
  ])('are refused in words: %s', (args, words) => {
    expect(() => testFlags(args)).toThrow(words);
  });
});
