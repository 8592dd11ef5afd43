import type { DType } from './dtype.ts';
import type { Tensor } from './tensor.ts';

/** Overwrites `to` with the bits of `from`, of the same size and dtype, on the device. */
export function copyOver<D extends DType>(from: Tensor<D>, to: Tensor<D>): void {
  if (from.size === 0) return;
  to.gpu.recorder.push({ kind: 'copy', from: from.storage, fromOffset: from.byteOffset, to: to.storage, toOffset: to.byteOffset, bytes: from.byteLength });
}
