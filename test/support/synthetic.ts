import { NdArray } from 'evenkeel';
import { makeDataset, type Dataset } from 'evenkeel/data';
import { hostNormal, key } from 'evenkeel/random';

/**
 * `n` points of `classes` Gaussian clusters in `features` dimensions, class i % classes; centres of length `spread`.
 */
export function clusters({
  n,
  classes = 10,
  features = 16,
  spread = 4,
  seed = 0,
}: {
  n: number;
  classes?: number;
  features?: number;
  spread?: number;
  seed?: number;
}): Dataset {
  const centres = hostNormal(classes, features, key(7));
  const x = hostNormal(n, features, key(seed));
  const y = Int32Array.from({ length: n }, (_, i) => i % classes);
  for (let i = 0; i < n; i++) {
    for (let f = 0; f < features; f++)
      x[i * features + f]! += (spread / Math.sqrt(features)) * centres[y[i]! * features + f]!;
  }
  return makeDataset(new NdArray(x, [n, features]), y, { numClasses: classes });
}

/**
 * Clusters to train on, and the same points with each label one further: the better a model learns, the worse it is on
 * these.
 */
export function opposed(): { train: Dataset; other: Dataset } {
  const train = clusters({ n: 200, seed: 1 });
  const further = train.y.map((c) => (c + 1) % 10);
  return { train, other: makeDataset(train.x, further, { numClasses: 10 }) };
}
