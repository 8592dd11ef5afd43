import { readFileSync } from 'node:fs';
import { demo } from './demo.ts';
import { Interrupted, UsageError } from './usage-error.ts';
import { reproduce } from './reproduce.ts';

const VERBS: Readonly<Record<string, (args: readonly string[], signal: AbortSignal) => Promise<number>>> = {
  demo,
  reproduce,
};

const HELP = `usage: evenkeel VERB [flags]

  demo       train, calibrate and certify on long-tailed data, and write a report
  reproduce  test a published claim; --list names the experiments

  --help     this text, or that of a verb
  --version  the version of evenkeel`;

async function main([verb = '--help', ...args]: readonly string[]): Promise<number> {
  if (verb === '--help' || verb === '-h') {
    console.log(HELP);
    return 0;
  }
  if (verb === '--version') {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    console.log(version);
    return 0;
  }
  const run = Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined;
  if (!run) throw new UsageError(`unknown verb '${verb}': expected one of ${Object.keys(VERBS).join(', ')}`);
  const controller = new AbortController();
  // Once: a second Ctrl-C ends the process at once.
  process.once('SIGINT', () => controller.abort(new Interrupted('interrupted; nothing was written')));
  return run(args, controller.signal);
}

/** What is the user's to mend is one sentence; anything else shows where it came from when EVENKEEL_DEBUG is set. */
function report(error: unknown): number {
  if (error instanceof UsageError || error instanceof Interrupted) {
    console.error(error.message);
    return error instanceof UsageError ? 2 : 130;
  }
  const { name = 'Error', message = String(error), stack } = error as Partial<Error>;
  console.error(process.env.EVENKEEL_DEBUG ? (stack ?? message) : `${name}: ${message}`);
  return 1;
}

const code = await main(process.argv.slice(2)).catch(report);
// Dawn in Node keeps the event loop alive for ever; what was printed must go out before the end.
process.stdout.write('', () => process.exit(code));
