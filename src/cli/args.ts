import { parseArgs } from 'node:util';
import { UsageError } from './usage-error.ts';
import type { Flag, FlagTable, Values } from './flags.ts';

/**
 * Reads `args` by the table. Throws UsageError, one sentence that names the flag and what was expected, on an unknown
 * flag, a missing, surplus or bad value, and on more or fewer words than `words` names.
 */
export function parseFlags<F extends FlagTable>(
  table: F,
  args: readonly string[],
  words: readonly string[] = [],
): { values: Values<F>; words: string[] } {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      { type: flag.value ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  // Not strict: its messages do not say what was expected.
  const { tokens } = parseArgs({ args: [...args], options, strict: false, tokens: true, allowPositionals: true });
  const values = Object.fromEntries(Object.entries(table).map(([name, flag]) => [name, flag.fallback]));
  const given: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') given.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = Object.hasOwn(table, token.name) ? table[token.name] : undefined;
    if (!flag) throw new UsageError(`unknown flag ${token.rawName}: expected one of ${flagNames(table)}`);
    values[token.name] = valueOf(flag, token);
  }
  if (given.length > words.length)
    throw new UsageError(
      `unexpected word '${given[words.length]}': expected ${words.length === 0 ? 'flags only' : words.join(' ')}`,
    );
  return { values: values as Values<F>, words: given };
}

function valueOf(
  flag: Flag<unknown>,
  { rawName, value, inlineValue }: { rawName: string; value: string | undefined; inlineValue: boolean | undefined },
): unknown {
  if (!flag.value) {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value, got '${value}'`);
    return true;
  }
  // `--epochs --seed 1`: the next flag is no value.
  if (value === undefined || (!inlineValue && /^--?[a-z]/i.test(value)))
    throw new UsageError(`${rawName} has no value: expected ${rawName} ${flag.value}`);
  try {
    return flag.parse(value);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`${rawName} is '${value}', ${error.message}`);
    throw error;
  }
}

/** Help text: usage, description, and one line a flag. */
export function helpText(usage: string, description: string, table: FlagTable): string {
  const rows = Object.entries(table).map(
    ([name, flag]) => [`--${name}${flag.value ? ` ${flag.value}` : ''}`, `${flag.describe}${shown(flag)}`] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `usage: ${usage}`,
    '',
    description,
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
  ].join('\n');
}

function shown({ value, fallback }: Flag<unknown>): string {
  return !value || fallback === null
    ? ''
    : ` (default: ${Array.isArray(fallback) ? fallback.join(',') : String(fallback)})`;
}

function flagNames(table: FlagTable): string {
  return Object.keys(table)
    .map((name) => `--${name}`)
    .join(', ');
}
