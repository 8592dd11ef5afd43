import { around, build, type Dense } from './dense.ts';

/** Arrays joined along an axis. */
export function concat(parts: readonly Dense[], axis: number): Dense {
  const shape = parts[0]!.shape.map((d, i) => (i === axis ? parts.reduce((n, p) => n + p.shape[axis]!, 0) : d));
  const { outer, inner } = around(shape, axis);
  const data: number[] = [];
  for (let o = 0; o < outer; o++)
    for (const p of parts) data.push(...p.data.subarray(o * p.shape[axis]! * inner, (o + 1) * p.shape[axis]! * inner));
  return { shape, data: Float64Array.from(data) };
}

/** The part of `dy` that belongs to each of the joined shapes. */
export function concatGradient(dy: Dense, shapes: readonly (readonly number[])[], axis: number): Dense[] {
  const { length, inner } = around(dy.shape, axis);
  let first = 0;
  return shapes.map((shape) => {
    const own = shape[axis]! * inner;
    const start = first * inner;
    first += shape[axis]!;
    return build(shape, (i) => dy.data[Math.floor(i / own) * length * inner + start + (i % own)]!);
  });
}
