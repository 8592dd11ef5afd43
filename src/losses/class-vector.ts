import type { Gpu } from '../gpu/device.ts';
import { unscoped } from '../tensor/scope.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import type { Loss } from './loss.ts';

/** A short list of the host, kept on the device that asks for it. */
export interface ClassVector {
  on(gpu: Gpu): Tensor;
  /** New values in place, so that a captured step follows. */
  write(values: ArrayLike<number>): void;
  dispose(): void;
}

/** A {@link ClassVector} of `values`, of the shape given or one axis. */
export function classVector(values: ArrayLike<number>, shape: readonly number[] = [values.length]): ClassVector {
  const made = new Map<Gpu, Tensor>();
  let current = values;
  return {
    on(gpu) {
      let table = made.get(gpu);
      if (!table) made.set(gpu, (table = unscoped(() => tensor(current, { shape, gpu }))));
      return table;
    },
    write(next) {
      for (const table of made.values()) table.write(next);
      current = next;
    },
    dispose() {
      for (const table of made.values()) table.dispose();
      made.clear();
    },
  };
}

/** `loss`, whose `dispose` frees the vector too. */
export function owning(loss: Loss, vector: ClassVector): Loss {
  const dispose = loss.dispose;
  loss.dispose = () => {
    dispose();
    vector.dispose();
  };
  return loss;
}
