import { accumulator, addTerm, build, count, type Dense } from './dense.ts';

const channelOf = (i: number, shape: readonly number[]): number => Math.floor(i / count(shape.slice(2))) % shape[1]!;

/** Mean of each channel of x: (batch, channels, ...). */
export function channelMeans(x: Dense): Required<Dense> {
  const channels = x.shape[1]!;
  const y = accumulator([channels]);
  x.data.forEach((v, i) => addTerm(y, channelOf(i, x.shape), (v * channels) / x.data.length));
  return y;
}

/** x - mean for each channel; S counts |x| and the terms of the mean. */
export function meanShift(x: Dense, mean: Dense = channelMeans(x)): Required<Dense> {
  const y = build(x.shape, (i) => x.data[i]! - mean.data[channelOf(i, x.shape)]!);
  const sum = x.data.map(
    (v, i) => Math.abs(v) + (mean.sum?.[channelOf(i, x.shape)] ?? Math.abs(mean.data[channelOf(i, x.shape)]!)),
  );
  return { ...y, sum };
}
