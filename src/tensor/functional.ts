import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import { ambient, within } from './ambient.ts';
import type { DType } from './dtype.ts';
import { scope } from './scope.ts';
import { gradients, leavesOf, noGrad, pullback, record, requireGrad, withGrad } from './tape.ts';
import { Tensor } from './tensor.ts';

/** A tensor, or arrays and plain objects of them, such as the parameters of a model. */
export type Tree = Tensor | readonly Tree[] | { readonly [name: string]: Tree };

/** Which argument to differentiate. */
export interface GradOptions {
  /** Its place among the arguments of the function. Default: 0. */
  argument?: number;
}

function mapTree<T extends Tree>(tree: T, f: (x: Tensor) => Tensor, what: string): T {
  if (tree instanceof Tensor) return f(tree) as unknown as T;
  if (Array.isArray(tree)) return tree.map((t) => mapTree(t as Tree, f, what)) as unknown as T;
  if (tree && typeof tree === 'object')
    return Object.fromEntries(Object.entries(tree).map(([k, v]) => [k, mapTree(v as Tree, f, what)])) as T;
  throw new TypeError(`${what}: got ${String(tree)}, expected a tensor, or arrays and plain objects of tensors`);
}

/**
 * A function that gives the value of `fn` and its gradient with respect to one argument, in the structure of that
 * argument. `fn` returns a scalar. Nested, it gives derivatives of higher order. All temporaries are freed.
 */
export function valueAndGrad<A extends unknown[]>(
  fn: (...args: A) => Tensor,
  options: GradOptions = {},
): (...args: A) => { value: Tensor; gradient: A[number] } {
  expectOptions('valueAndGrad', options, ['argument']);
  const { argument = 0 } = options;
  return (...args) => {
    const run = (): { value: Tensor; gradient: A[number] } => {
      const leaves: Tensor[] = [];
      const tree = mapTree(
        args[argument] as Tree,
        (x) => {
          const leaf = x.tracksGrad ? x : requireGrad(x.detach());
          leaves.push(leaf);
          return leaf;
        },
        `valueAndGrad: argument ${argument}`,
      );
      const value = withGrad(() => fn(...(args.map((a, i) => (i === argument ? tree : a)) as A)));
      if (!(value instanceof Tensor) || value.size !== 1)
        throw new ShapeError(
          'valueAndGrad: the function gave ' +
            `${value instanceof Tensor ? `shape [${value.shape}]` : String(value)}, expected a scalar tensor; ` +
            'reduce it first',
        );
      const found = gradients(value, leaves, { createGraph: ambient.depth > 1 });
      let next = 0;
      return { value, gradient: mapTree(tree, () => found[next++]!, 'valueAndGrad') as A[number] };
    };
    return within('depth', ambient.depth + 1, () => {
      if (ambient.depth > 1) return run();
      return scope(() => {
        const { value, gradient } = run();
        // The result is cut off from the tape, whose tensors end with this scope.
        return { value: value.detach(), gradient };
      });
    });
  };
}

/**
 * Gradients of a scalar, in two forms. `grad(y, inputs)` gives dy/d(inputs) of a tensor that is on the tape; with
 * `createGraph` it can be differentiated again. `grad(fn)` gives a function for the gradient of `fn` with respect to
 * its first argument (or `argument`), as {@link valueAndGrad}.
 */
export function grad(y: Tensor, inputs: readonly Tensor[], options?: { createGraph?: boolean }): Tensor[];
/** The gradient of `fn` with respect to one argument, as a function. */
export function grad<A extends unknown[]>(fn: (...args: A) => Tensor, options?: GradOptions): (...args: A) => A[number];
/** Either form. */
export function grad<A extends unknown[]>(
  subject: Tensor | ((...args: A) => Tensor),
  second?: readonly Tensor[] | GradOptions,
  options?: { createGraph?: boolean },
): Tensor[] | ((...args: A) => A[number]) {
  if (subject instanceof Tensor) return gradients(subject, second as readonly Tensor[], options);
  const both = valueAndGrad(subject, second as GradOptions | undefined);
  return (...args) => {
    const { value, gradient } = both(...args);
    if (ambient.depth === 0) value.dispose();
    return gradient;
  };
}

/** What the function of {@link customGrad} returns. */
export interface CustomGrad {
  value: Tensor;
  /** dL/d(inputs) from dL/d(value), one for each input; null where there is none. */
  gradient: (dy: Tensor) => readonly (Tensor | null)[];
}

/**
 * An op with a gradient of its own: `fn` computes the value off the tape and gives the gradient. Made of differentiable
 * ops, the gradient can be differentiated again with respect to dy, the inputs and the value; other tensors that it
 * uses count as constants.
 */
export function customGrad<A extends Tensor<DType>[]>(
  fn: (...inputs: A) => CustomGrad,
  options: { name?: string } = {},
): (...inputs: A) => Tensor {
  expectOptions('customGrad', options, ['name']);
  const { name = 'customGrad' } = options;
  return (...inputs) => {
    const { value, gradient } = noGrad(() => fn(...inputs));
    // A value that is an input itself must not get a node of its own.
    const y = inputs.includes(value as A[number]) ? value.detach() : value;
    return record(name, y, inputs, {
      gradient: (dy) => {
        const found = gradient(dy);
        if (found.length !== inputs.length)
          throw new ShapeError(
            `${name}: the gradient function gave ${found.length} gradients, expected one for each of the ` +
              `${inputs.length} inputs`,
          );
        return found;
      },
    });
  };
}

/**
 * fn(...inputs) without keeping its intermediate results: backward runs `fn` again. For the gradient of long chains in
 * less memory, at the price of one more forward pass. `fn` must be pure: it may use parameters, which get their
 * gradients, and random ops by key, which repeat; running statistics would move twice. Chen et al., "Training deep nets
 * with sublinear memory cost", 2016.
 */
export function checkpoint(fn: (...inputs: Tensor[]) => Tensor, ...inputs: Tensor[]): Tensor {
  const leaves = (): Tensor[] => inputs.map((x) => (x.tracksGrad ? requireGrad(x.detach()) : x));
  let parameters: Tensor[] = [];
  const y = scope(() => {
    const local = leaves();
    const result = withGrad(() => fn(...local));
    parameters = leavesOf(result).filter((p) => !local.includes(p));
    return inputs.includes(result) || local.includes(result) ? result.detach() : cut(result);
  });
  const fused = (dy: Tensor): (Tensor | null)[] => {
    const local = leaves();
    const wanted = [...local, ...parameters];
    const again = withGrad(() => fn(...local));
    const found = pullback(
      again,
      wanted.filter((x) => x.tracksGrad),
      dy,
    );
    let next = 0;
    return wanted.map((x) => (x.tracksGrad ? found[next++]! : null));
  };
  return record('checkpoint', y, [...inputs, ...parameters], { fused });
}

/** `y` without its past. */
function cut(y: Tensor): Tensor {
  y.node = null;
  return y;
}
