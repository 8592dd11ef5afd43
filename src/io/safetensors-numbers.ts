import { FormatError } from './format-error.ts';
import { fromBfloat16, fromFloat8, fromHalf } from './half.ts';
import type { SafetensorsTensor } from './safetensors-types.ts';

/** Numbers of a tensor, in the narrowest array that holds them exactly. */
export type SafetensorsNumbers =
  | Float32Array<ArrayBuffer>
  | Float64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

/**
 * The values of a tensor of `decodeSafetensors` as numbers, whatever its dtype, exactly: F16, BF16 and 8-bit floats,
 * which are handed out as bits, become f32; I64 and U64, bigints, become f64; BOOL is 0 and 1; the others are their own
 * array, not copied. To store F64 in f32 is the caller's rounding. Throws FormatError on a 64-bit integer beyond 2^53
 * and on a BOOL other than 0 and 1.
 */
export function safetensorsNumbers(tensor: SafetensorsTensor): SafetensorsNumbers {
  switch (tensor.dtype) {
    case 'F16':
      return Float32Array.from(tensor.data, fromHalf);
    case 'BF16':
      return Float32Array.from(tensor.data, fromBfloat16);
    case 'F8_E4M3':
      return Float32Array.from(tensor.data, (byte) => fromFloat8(byte, 'E4M3'));
    case 'F8_E5M2':
      return Float32Array.from(tensor.data, (byte) => fromFloat8(byte, 'E5M2'));
    case 'I64':
    case 'U64': {
      const out = new Float64Array(tensor.data.length);
      for (let i = 0; i < out.length; i++) {
        out[i] = Number(tensor.data[i]);
        if (!Number.isSafeInteger(out[i]))
          throw new FormatError(
            `safetensorsNumbers: element ${i} of ${tensor.dtype} is ${tensor.data[i]}, expected at most 2^53 ` +
              '- 1 in size',
          );
      }
      return out;
    }
    case 'BOOL': {
      const bad = tensor.data.findIndex((byte) => byte > 1);
      if (bad >= 0)
        throw new FormatError(`safetensorsNumbers: element ${bad} of BOOL is ${tensor.data[bad]}, expected 0 or 1`);
      return tensor.data;
    }
    default:
      return tensor.data;
  }
}
