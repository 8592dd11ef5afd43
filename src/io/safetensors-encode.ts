import { safeSize } from './bytes.ts';
import {
  FORBIDDEN_NAMES,
  METADATA_KEY,
  STORAGE,
  type SafetensorsTensor,
  type SafetensorsType,
} from './safetensors-types.ts';

/** A tensor to store: `data` must be the typed array of `dtype` (see SafetensorsStorage). */
export interface SafetensorsInput {
  dtype: SafetensorsType;
  shape: readonly number[];
  data: SafetensorsTensor['data'];
}

/**
 * Writes a safetensors file, the inverse of `decodeSafetensors`. Tensors are laid out without gaps, wide elements first
 * and then by name, and the header is padded with spaces to a multiple of 8: every tensor is aligned to its element
 * size, and equal input gives equal bytes whatever the order of insertion.
 * Throws RangeError on a name that is reserved, an unknown dtype, a shape that does not fit the data;
 * TypeError when the data are of another array type or the metadata are not strings.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, SafetensorsInput> | Readonly<Record<string, SafetensorsInput>>,
  metadata: ReadonlyMap<string, string> | Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const named = entriesOf(tensors);
  for (const [name, tensor] of named) checkTensor(name, tensor);
  named.sort(([p, x], [q, y]) => y.data.BYTES_PER_ELEMENT - x.data.BYTES_PER_ELEMENT || (p < q ? -1 : 1));

  const header: [string, unknown][] = [];
  const strings = entriesOf(metadata).sort(([p], [q]) => (p < q ? -1 : 1));
  for (const [key, text] of strings) {
    if (FORBIDDEN_NAMES.has(key)) throw new RangeError(`encodeSafetensors: metadata key "${key}" is not allowed`);
    if (typeof text !== 'string')
      throw new TypeError(`encodeSafetensors: metadata "${key}" is a ${typeof text}, expected a string`);
  }
  if (strings.length > 0) header.push([METADATA_KEY, Object.fromEntries(strings)]);
  let end = 0;
  for (const [name, { dtype, shape, data }] of named) {
    header.push([name, { dtype, shape, data_offsets: [end, (end += data.byteLength)] }]);
  }

  // Written by hand because an object would move integer-like names ("0") to the front.
  const text = new TextEncoder().encode(
    `{${header.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`,
  );
  const start = Math.ceil((8 + text.length) / 8) * 8;
  const file = new Uint8Array(start + end).fill(0x20, 8, start);
  new DataView(file.buffer).setBigUint64(0, BigInt(start - 8), true);
  file.set(text, 8);
  let at = start;
  for (const [, { data }] of named) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

function entriesOf<T>(table: ReadonlyMap<string, T> | Readonly<Record<string, T>>): [string, T][] {
  return table instanceof Map ? [...table] : Object.entries(table as Record<string, T>);
}

function checkTensor(name: string, { dtype, shape, data }: SafetensorsInput): void {
  if (FORBIDDEN_NAMES.has(name) || name === METADATA_KEY)
    throw new RangeError(`encodeSafetensors: tensor name "${name}" is not allowed`);
  const storage = STORAGE.get(dtype);
  if (!storage)
    throw new RangeError(
      `encodeSafetensors: tensor "${name}" has dtype ${dtype}, expected one of ${[...STORAGE.keys()].join(' ')}`,
    );
  if (!(data instanceof storage)) {
    throw new TypeError(
      `encodeSafetensors: tensor "${name}" holds a ${(data as object).constructor.name}, expected ` +
        `${(storage as unknown as { name: string }).name} for ${dtype}`,
    );
  }
  const valid = shape.every((extent) => Number.isSafeInteger(extent) && extent >= 0);
  if (!valid || safeSize(shape) !== data.length) {
    throw new RangeError(`encodeSafetensors: tensor "${name}" has shape [${shape}] and ${data.length} elements`);
  }
}
