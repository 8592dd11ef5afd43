import { accumulator, around, type Dense } from './dense.ts';

/** What a running sum leaves out, and from which end it runs. */
export interface Running {
  exclusive?: boolean;
  reverse?: boolean;
}

/** Running sum along an axis. */
export function cumsum(x: Dense, axis: number, { exclusive = false, reverse = false }: Running = {}): Dense {
  const { outer, length, inner } = around(x.shape, axis);
  const y = accumulator(x.shape);
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let [total, size] = [0, 0];
      for (let step = 0; step < length; step++) {
        const at = (o * length + (reverse ? length - 1 - step : step)) * inner + i;
        const v = x.data[at]!;
        if (!exclusive) [total, size] = [total + v, size + Math.abs(v)];
        [y.data[at], y.sum[at]] = [total, size];
        if (exclusive) [total, size] = [total + v, size + Math.abs(v)];
      }
    }
  }
  return y;
}
