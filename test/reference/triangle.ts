import { build, type Dense } from './dense.ts';

/** x with zeros where `keeps` is false for column - row. */
export function triangle(x: Dense, keeps: (distance: number) => boolean): Dense {
  const [rows, cols] = x.shape.slice(-2) as [number, number];
  return build(x.shape, (i) => (keeps((i % cols) - (Math.floor(i / cols) % rows)) ? x.data[i]! : 0));
}
