import type { DType } from './dtype.ts';
import { empty, type Tensor } from './tensor.ts';

/** Overwrites the first elements of `to` with the bits of `from`, of the same dtype, on the device. */
export function copyOver<D extends DType>(from: Tensor<D>, to: Tensor<D>): void {
  if (from.size === 0) return;
  to.gpu.recorder.push({
    kind: 'copy',
    from: from.storage,
    fromOffset: from.byteOffset,
    to: to.storage,
    toOffset: to.byteOffset,
    bytes: from.byteLength,
  });
}

/**
 * Copies tensors on the device and returns the function that puts their bits back. The copies belong to the scope
 * around the call.
 */
export function keep(tensors: Iterable<Tensor<DType>>): () => void {
  const kept = Array.from(tensors, (t) => {
    const copy = empty(t.shape, { dtype: t.dtype, gpu: t.gpu });
    copyOver(t, copy);
    return [copy, t] as const;
  });
  return () => kept.forEach(([copy, t]) => copyOver(copy, t));
}
