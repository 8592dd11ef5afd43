import type { Tensor } from './tensor.ts';

/**
 * Which of the named parameters of a model: a name or a pattern, in which `*` stands for any characters, dots included
 * ('features.*', '*.bias'); a test of the name; a parameter itself; or several of these.
 */
export type ParameterSelection =
  string | ((name: string) => boolean) | Tensor | readonly (string | ((name: string) => boolean) | Tensor)[];

/** Names that a message lists at most. */
const LISTED = 8;

/**
 * The names of what `selection` chooses among `parameters`, in their order. Throws RangeError when a part of it chooses
 * nothing, TypeError when it is none.
 */
export function selectParameters(
  what: string,
  parameters: ReadonlyMap<string, Tensor>,
  selection: ParameterSelection,
): string[] {
  const chosen = new Set<string>();
  for (const part of Array.isArray(selection) ? (selection as readonly ParameterSelection[]) : [selection]) {
    const isChosen = testOf(what, parameters, part);
    const found = [...parameters.keys()].filter(isChosen);
    if (found.length === 0) {
      const names = [...parameters.keys()];
      const rest = names.length > LISTED ? `, and ${names.length - LISTED} more` : '';
      const asked =
        typeof part === 'string' ? `'${part}'` : typeof part === 'function' ? 'the test of names' : 'the tensor';
      throw new RangeError(
        `${what}: ${asked} matches no parameter; there are ${names.slice(0, LISTED).join(', ')}${rest}`,
      );
    }
    for (const name of found) chosen.add(name);
  }
  if (chosen.size === 0) throw new RangeError(`${what}: the list of parameters is empty, expected at least one`);
  return [...parameters.keys()].filter((name) => chosen.has(name));
}

function testOf(
  what: string,
  parameters: ReadonlyMap<string, Tensor>,
  part: ParameterSelection,
): (name: string) => boolean {
  if (typeof part === 'function') return part;
  if (typeof part === 'string') {
    const pattern = part.split('*').map((text) => text.replace(/[\\^$.|?+()[\]{}]/g, '\\$&'));
    const test = new RegExp(`^${pattern.join('.*')}$`, 's');
    return (name) => test.test(name);
  }
  if (typeof part !== 'object' || part === null || !('storage' in part))
    throw new TypeError(
      `${what}: got ${String(part)}, expected a name or pattern such as 'head.*', a test of names, or a parameter`,
    );
  return (name) => parameters.get(name) === part;
}
