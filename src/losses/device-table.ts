import { expectOptions } from '../check/options.ts';
import type { Gpu } from '../gpu/device.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { DType } from '../tensor/dtype.ts';
import { toHost, type HostInput } from '../tensor/host-values.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';

/** Numbers of the host, kept on each device that asks for them. */
export interface DeviceTable<D extends DType = 'f32'> {
  /** The numbers on `gpu`: one tensor for each device, put there at the first call. */
  on(gpu: Gpu): Tensor<D>;
  /** New numbers in place, row by row, on every device: a captured step follows. */
  write(values: ArrayLike<number>): void;
  /** The numbers as they stand on the device that asked last, whose steps may have moved them; else those written. */
  read(): Promise<ArrayLike<number>>;
  /** Frees the tensors. The next `on` puts the numbers written last there. */
  dispose(): void;
}

/**
 * A {@link DeviceTable} of numbers, such as one margin a class, a matrix of nested lists, or a temperature that a
 * schedule moves. Its tensors outlive every scope; `defineLoss` frees its `tables` with the loss. The numbers are
 * copied. Throws TypeError or RangeError as `tensor` does, and ShapeError when `write` gets more or fewer of them.
 */
export function deviceTable<D extends DType = 'f32'>(values: HostInput, options: { dtype?: D } = {}): DeviceTable<D> {
  expectOptions('deviceTable', options, ['dtype']);
  const { dtype = 'f32' as D } = options;
  const { data, shape } = toHost('deviceTable: values', values);
  const tensors = new Map<Gpu, Tensor<D>>();
  let current = copyOf(data);
  let latest: Tensor<D> | undefined;
  return {
    on(gpu) {
      latest = tensors.get(gpu);
      if (!latest) tensors.set(gpu, (latest = unscoped(() => tensor(current, { shape, dtype, gpu }))));
      return latest;
    },
    write(next) {
      if (next.length !== current.length)
        throw new ShapeError(`deviceTable: got ${next.length} values, the table holds ${current.length}`);
      for (const t of tensors.values()) t.write(next);
      current = copyOf(next);
    },
    async read() {
      return latest ? latest.read() : copyOf(current);
    },
    dispose() {
      for (const t of tensors.values()) t.dispose();
      tensors.clear();
      latest = undefined;
    },
  };
}

/** A copy, which later changes of the caller's list leave alone. */
function copyOf(list: ArrayLike<number>): ArrayLike<number> {
  return list instanceof Float32Array ? list.slice() : Array.from(list);
}
