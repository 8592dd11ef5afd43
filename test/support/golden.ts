/** A tensor of a golden file. Non-finite numbers are stored as strings. */
export interface GoldenTensor {
  shape: number[];
  data: (number | string)[];
}

/** A case of a golden file, with the fields that every file has. */
export interface GoldenCase {
  name: string;
  method?: string;
  op?: string;
  options: Record<string, unknown>;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown>;
}

/** A number of a golden file: "NaN", "Infinity" and "-Infinity" become themselves. */
export function toNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (value === 'NaN') return NaN;
  if (value === 'Infinity') return Infinity;
  if (value === '-Infinity') return -Infinity;
  throw new TypeError(`toNumber: value is ${String(value)}, expected a number of a golden file`);
}

/** The elements of a golden tensor, list or scalar, row-major. */
export function flat(tensor: unknown): number[] {
  if (Array.isArray(tensor)) return tensor.map(toNumber);
  if (typeof tensor === 'object' && tensor !== null && 'data' in tensor)
    return (tensor as GoldenTensor).data.map(toNumber);
  return [toNumber(tensor)];
}

/** A golden tensor with numbers for data. */
export function dense(tensor: unknown): { data: number[]; shape: number[] } {
  return { data: flat(tensor), shape: (tensor as GoldenTensor).shape };
}

/**
 * The cases of one method (method files) or op (engine files); throws when there are none, so that no test is empty.
 */
export function casesOf(file: unknown, method: string): GoldenCase[] {
  const cases = (file as GoldenCase[]).filter((c) => c.method === method || c.op === method);
  if (cases.length === 0) throw new Error(`casesOf: no case of ${method}`);
  return cases;
}

/** |got - want| relative to |want|; 0 when both are equal or both NaN. */
export function relativeError(got: number, want: number): number {
  if (Object.is(got, want) || got === want) return 0;
  return Math.abs(got - want) / Math.abs(want);
}
