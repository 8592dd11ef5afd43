import kernel from '../../shaders/anomaly.wgsl';
import { unscoped } from './scope.ts';
import { tensor, type Tensor } from './tensor.ts';

const NONE = 0xffffffff;

/** The first tensor, in order, with a NaN or an infinity, found by its bits: one dispatch each and one read. -1 where there is none. */
export async function firstNonFinite(tensors: readonly Tensor[]): Promise<number> {
  if (tensors.length === 0) return -1;
  const { gpu } = tensors[0]!;
  const first = unscoped(() => tensor([NONE], { dtype: 'u32', gpu }));
  try {
    tensors.forEach((x, op) => {
      if (x.size > 0) kernel.inspect({ size: x.size, op }, { x, first }, [x.size]);
    });
    const found = (await first.read())[0]!;
    return found === NONE ? -1 : found >>> 1;
  } finally {
    first.dispose();
  }
}
