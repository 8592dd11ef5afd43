import { UsageError } from '../../src/cli/usage-error.ts';
import { choice, integer, text, toggle, type Flag } from '../../src/cli/flags.ts';
import { NAMES, select } from './workloads.ts';

const only: Flag<readonly string[]> = {
  value: 'NAME,NAME',
  describe: 'workloads by name or by how it begins: matmul, conv-lenet, mlp; --list names them',
  fallback: NAMES,
  parse(given) {
    const names = select(given.split(',').map((word) => word.trim()));
    if (!names)
      throw new UsageError(
        `expected names of workloads, or their beginnings, separated by commas: ${NAMES.join(', ')}`,
      );
    return names;
  },
};

/** Flags of `npm run bench`. */
export const FLAGS = {
  only,
  rounds: integer('rounds of a workload', 7, { min: 1, max: 1000 }),
  seconds: integer('a workload ends after this time, once it has three rounds', 20, { min: 1, max: 3600 }),
  host: choice(
    'chrome: all engines; node: evenkeel alone, on Dawn, for the peers need a page',
    ['chrome', 'node'],
    'chrome',
  ),
  adapter: choice(
    'kind of adapter, or an error where there is none; any: hardware where there is one',
    ['any', 'hardware', 'software'],
    'any',
  ),
  json: text('a file for all figures', 'FILE', null),
  markdown: toggle('print the tables as Markdown'),
  fleet: text('write the page that anyone opens on their GPU: checks, tuning, times, one JSON', 'FILE', null),
  merge: text(
    'make one table by adapter of JSON files, of such pages or of --json, separated by commas',
    'FILES',
    null,
  ),
  into: text('with --merge: the Markdown page whose marked part becomes the table', 'FILE', null),
  list: toggle('name the workloads and end'),
  help: toggle('this text'),
};
