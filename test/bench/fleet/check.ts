import { startTests, type File, type Task, type VitestRunner } from '@vitest/runner';

/** Test files by path, each to be imported when its turn comes. */
export type TestFiles = Readonly<Record<string, () => Promise<unknown>>>;

/** Tests that ran here, and the sentences of those that failed. */
export interface Checks {
  passed: number;
  failed: { test: string; message: string }[];
}

/** Milliseconds for a test, and for a hook. */
const LONGEST = 120_000;

/** Runs test files one after the other; `line` learns how each ended. `setup`: hooks that every file takes over. */
export async function check(files: TestFiles, setup: () => Promise<unknown>, line: (text: string) => void) {
  const checks: Checks = { passed: 0, failed: [] };
  for (const path of Object.keys(files)) {
    const runner: VitestRunner = {
      config: {
        root: '/',
        setupFiles: ['setup'],
        passWithNoTests: false,
        sequence: { shuffle: false, concurrent: false, seed: 0, hooks: 'stack', setupFiles: 'list' },
        maxConcurrency: 1,
        testTimeout: LONGEST,
        hookTimeout: LONGEST,
        retry: 0,
        includeTaskLocation: false,
        allowOnly: true,
        chaiConfig: {},
        diffOptions: {},
        tags: [],
        tagsFilter: undefined,
        strictTags: false,
      } as never,
      importFile: (name, source) => (source === 'setup' ? setup() : files[name]!()),
    };
    const [file] = await startTests([path], runner);
    const before = { passed: checks.passed, failed: checks.failed.length };
    count(file!, [], checks);
    const [passed, failed] = [checks.passed - before.passed, checks.failed.length - before.failed];
    line(`${path}: ${passed} passed, ${failed} failed`);
  }
  return checks;
}

function count(task: Task | File, parents: readonly string[], checks: Checks): void {
  const names = [...parents, task.name];
  const fail = (): void => {
    const message = task.result?.errors?.[0]?.message ?? 'failed without a reason';
    checks.failed.push({ test: names.join(' > '), message: message.slice(0, 300) });
  };
  if (task.type === 'test') {
    if (task.result?.state === 'pass') checks.passed++;
    else if (task.result?.state === 'fail') fail();
    return;
  }
  const before = checks.failed.length;
  for (const child of task.tasks) count(child, names, checks);
  // A file or a hook that failed without a test of its own.
  if (task.result?.state === 'fail' && checks.failed.length === before) fail();
}
