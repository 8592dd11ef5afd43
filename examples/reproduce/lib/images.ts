import { subset, type Dataset } from 'evenkeel/data';

/** `count` samples from number `start` on. Throws a RangeError when there are not as many. */
export function take(data: Dataset, count: number, start = 0): Dataset {
  return subset(
    data,
    Array.from({ length: count }, (_, i) => start + i),
  );
}
