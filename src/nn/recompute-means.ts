import { checkOptions, integer } from '../check/check.ts';
import { ShapeError } from '../gpu/errors.ts';
import { add, mul, sub } from '../ops/binary.ts';
import { mean } from '../ops/reduce.ts';
import { reshape } from '../ops/reshape.ts';
import { sizeOf } from '../tensor/shape.ts';
import { copyOver } from '../tensor/copy.ts';
import type { NdArray } from '../tensor/ndarray.ts';
import { scope, unscoped } from '../tensor/scope.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, zeros } from '../tensor/tensor.ts';
import { bufferOf } from './layer.ts';
import type { LinfDistNet } from './linf-dist-mlp.ts';
import type { MeanShift } from './linf-dist.ts';

/**
 * Replaces the running mean of every mean shift of a distance net by the mean over `x`, (n, ...), with the layers
 * before it as they evaluate now and the means of each batch, 500 by default, subtracted. Running means otherwise lag
 * behind a power that grows, and a SortNet trains other distances than it evaluates. As the authors of SortNet do
 * before each test, NeurIPS 2022. Throws ShapeError when there is no item.
 */
export function recomputeMeans(net: LinfDistNet, x: NdArray, options: { batchSize?: number } = {}): void {
  checkOptions('recomputeMeans', options, { batchSize: integer(1) });
  const { batchSize = 500 } = options;
  const items = x.shape[0] ?? 0;
  if (items === 0) throw new ShapeError(`recomputeMeans: x has shape [${x.shape}], expected at least one item`);
  const { gpu } = net.arena.values;
  const shifts = net.layers.filter((layer): layer is MeanShift => layer.kind === 'MeanShift');
  const means = new Map(shifts.map((layer) => [layer, unscoped(() => zeros([layer.features], { gpu }))]));
  const features = sizeOf(x.shape.slice(1));
  try {
    for (let start = 0; start < items; start += batchSize) {
      const rows = Math.min(batchSize, items - start);
      scope(() =>
        noGrad(() => {
          let y = tensor(x.data.subarray(start * features, (start + rows) * features), {
            shape: [rows, ...x.shape.slice(1)],
            gpu,
          });
          for (const layer of net.layers) {
            const total = means.get(layer as MeanShift);
            if (!total) {
              y = layer.forward(y, { training: false });
              continue;
            }
            const average = mean(y, { axes: y.shape.map((_, i) => i).filter((i) => i !== 1) });
            copyOver(add(total, mul(average, rows / items)), total);
            y = sub(y, reshape(average, [average.size, ...y.shape.slice(2).map(() => 1)]));
          }
        }),
      );
    }
    for (const [layer, total] of means) copyOver(total, bufferOf(layer, 'running_mean') as typeof total);
  } finally {
    for (const t of means.values()) t.dispose();
  }
}
