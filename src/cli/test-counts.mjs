import { relative } from 'node:path';

/**
 * Tests passed and failed out of vitest's JSON report and exit code. A file that did not load is a failure, and so are
 * a run without a report, one that ran no test, and one that failed outside of any test.
 */
export function countTests(report, exitCode) {
  const files = report?.testResults ?? [];
  const passed = files.flatMap((file) => file.assertionResults).filter((test) => test.status === 'passed').length;
  let failed = 0;
  for (const file of files) {
    const inside = file.assertionResults.filter((test) => test.status === 'failed').length;
    failed += inside === 0 && file.status === 'failed' ? 1 : inside;
  }
  if (failed === 0 && (exitCode !== 0 || passed === 0)) failed = 1;
  return { passed, failed };
}

/** The files of vitest's JSON reports that took longest, one line each: `12.3 s test/x.test.ts`. */
export function slowestFiles(reports, root, most = 10) {
  return reports
    .flatMap((report) => report?.testResults ?? [])
    .map(({ name, startTime, endTime }) => ({ name, seconds: (endTime - startTime) / 1000 }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, most)
    .map(({ name, seconds }) => `${seconds.toFixed(1)} s ${relative(root, name)}`);
}
