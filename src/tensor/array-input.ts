import type { DType } from './dtype.ts';
import { toList, type HostInput } from './host-values.ts';
import { toNdArray, type NdArray } from './ndarray.ts';
import { Tensor } from './tensor.ts';

/** Values that an async function takes from the device or the host: a Tensor, an NdArray, or nested arrays. */
export type ArrayInput = Tensor<DType> | HostInput;

/** A list of integers, one for each sample: a Tensor, an NdArray or an array. */
export type LabelsInput =
  Tensor<DType> | { readonly data: ArrayLike<number>; readonly shape: readonly number[] } | ArrayLike<number>;

/** The values on the host, `what` in the errors; a Tensor is read and stays the caller's. */
export async function readArray(what: string, values: ArrayInput): Promise<NdArray> {
  return values instanceof Tensor ? values.array() : toNdArray(what, values);
}

/** The labels on the host, `what` in the errors. */
export async function readLabels(what: string, labels: LabelsInput): Promise<ArrayLike<number>> {
  return toList(what, labels instanceof Tensor ? await labels.array() : labels);
}
