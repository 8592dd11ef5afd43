import { copyOver } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { sizeOf } from '../tensor/shape.ts';
import { Tensor, tensor, viewOf, zeros } from '../tensor/tensor.ts';
import type { Gpu } from '../gpu/device.ts';
import { forgetConstant } from './pass-weights.ts';

/** Elements between the starts of parameters: a binding must start at a multiple of 256 bytes. */
const ALIGN = 64;

/**
 * All parameters of a model in one flat buffer, and their gradients in another (one buffer may not be bound for reading
 * and for writing in one dispatch). Optimisers, clipping and averages are then one dispatch over the whole model; the
 * gaps between parameters stay zero.
 */
export class Arena {
  readonly values: Tensor;
  readonly grads: Tensor;
  readonly parameters: ReadonlyMap<string, Tensor>;

  constructor(gpu: Gpu, initial: ReadonlyMap<string, { shape: readonly number[]; data: Float32Array | Tensor }>) {
    const starts = new Map<string, number>();
    let size = 0;
    for (const [name, { shape }] of initial) {
      starts.set(name, size);
      size += Math.ceil(sizeOf(shape) / ALIGN) * ALIGN;
    }
    const host = new Float32Array(size);
    for (const [name, { data }] of initial) if (!(data instanceof Tensor)) host.set(data, starts.get(name)!);
    const parameters = new Map<string, Tensor>();
    const siblings: Tensor[] = [];
    [this.values, this.grads] = unscoped(() => {
      const values = tensor(host, { gpu });
      const grads = zeros([size], { gpu });
      for (const [name, { shape }] of initial) {
        const at = starts.get(name)!;
        const p = viewOf(values, shape, at);
        p.requiresGrad = true;
        p.home = { grad: viewOf(grads, shape, at), siblings };
        siblings.push(p);
        parameters.set(name, p);
      }
      return [values, grads];
    });
    for (const [name, { data }] of initial) if (data instanceof Tensor) copyOver(data, parameters.get(name)!);
    this.parameters = parameters;
  }

  dispose(): void {
    for (const p of this.parameters.values()) {
      forgetConstant(p);
      p.home!.grad.dispose();
      p.dispose();
    }
    this.values.dispose();
    this.grads.dispose();
  }
}
