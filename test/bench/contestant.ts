import { weightShapes, type Cnn, type Mlp, type Work } from './workloads.ts';

/** One engine, ready to do a workload again and again. */
export interface Contestant {
  /** Does the work once and waits until the device has finished it. */
  call(): Promise<void>;
  /**
   * The numbers that all engines must agree on; asked once, before any call is timed. Null: a yardstick that does other
   * work.
   */
  result: (() => Promise<ArrayLike<number>>) | null;
  /** Units of work in a call. Default: 1. */
  items?: number;
  dispose(): void;
}

/** An engine that was opened. */
export interface Engine {
  name: string;
  /** Contestants of a workload by name; none where the engine does not do it. */
  enter(work: Work): Record<string, Contestant>;
  /** Brings what has run so far to its final form, where the engine goes on compiling. */
  settle?(): Promise<void>;
  /** What the engine holds on its device, in a unit of its own; must come back to what it was. */
  held(): number;
}

/** The makers of an engine, by kind of work. */
export type Makers<T> = { [K in Work['kind']]?: (work: Extract<Work, { kind: K }>) => T };

/** What `makers` makes of the work, or null where they do not know its kind. */
export function made<T>(makers: Makers<T>, work: Work): T | null {
  const make = makers[work.kind] as ((work: Work) => T) | undefined;
  return make ? make(work) : null;
}

/** `enter` of an engine with one contestant, of the engine's name. */
export function alone(name: string, makers: Makers<Contestant>): Engine['enter'] {
  return (work) => {
    const contestant = made(makers, work);
    return contestant ? { [name]: contestant } : {};
  };
}

/** The same numbers for every engine: uniform in -scale..scale, by a linear congruential generator. */
export function values(count: number, seed: number, scale = 1): Float32Array<ArrayBuffer> {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2 ** 31 - 1);
  });
}

/** {@link values} for all elements of `shape`. */
export function valuesOf(shape: readonly number[], seed: number, scale = 1): Float32Array<ArrayBuffer> {
  return values(
    shape.reduce((a, b) => a * b, 1),
    seed,
    scale,
  );
}

/** Labels 0..classes-1. */
export function labels(count: number, classes: number, seed: number): Int32Array<ArrayBuffer> {
  return Int32Array.from(values(count, seed), (v) => Math.min(classes - 1, Math.floor(((v + 1) / 2) * classes)));
}

/** One-hot rows of labels. */
export function oneHot(classes: ArrayLike<number>, count: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(classes.length * count);
  for (let i = 0; i < classes.length; i++) out[i * count + classes[i]!] = 1;
  return out;
}

/** `data` of `shape` with its axes in another order, as NumPy's transpose. */
export function permuted(
  data: Float32Array,
  shape: readonly number[],
  order: readonly number[],
): Float32Array<ArrayBuffer> {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  const out = new Float32Array(data.length);
  let next = 0;
  const visit = (depth: number, at: number): void => {
    if (depth === order.length) {
      out[next++] = data[at]!;
      return;
    }
    const axis = order[depth]!;
    for (let i = 0; i < shape[axis]!; i++) visit(depth + 1, at + i * strides[axis]!);
  };
  visit(0, 0);
  return out;
}

/** All parts in one array. */
export function joined(parts: readonly ArrayLike<number>[]): Float32Array {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Parameters of a model by PyTorch's names and layouts. */
export type Parameters = ReadonlyMap<string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }>;

/** Starting values of a model. */
export function parametersOf(model: Mlp | Cnn): Parameters {
  return new Map(
    weightShapes(model).flatMap(
      ([name, shape], i): [string, { shape: readonly number[]; data: Float32Array<ArrayBuffer> }][] => {
        const scale = 1 / Math.sqrt(shape.slice(1).reduce((a, b) => a * b, 1));
        const size = shape.reduce((a, b) => a * b, 1);
        return [
          [`${name}.weight`, { shape, data: values(size, 100 + i, scale) }],
          [`${name}.bias`, { shape: [shape[0]!], data: values(shape[0]!, 200 + i, scale) }],
        ];
      },
    ),
  );
}

/** Losses of the first steps, which are compared. */
export async function firstLosses(next: () => Promise<number>): Promise<number[]> {
  return [await next(), await next(), await next()];
}
