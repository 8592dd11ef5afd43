import { accumulator, addTerm, type Dense } from './dense.ts';

/** phi(p) and -p phi'(p) of each kind, in the form of the papers. */
export function phi(
  kind: string,
  [a, b, , d]: readonly number[],
  p: number,
  { order = 1 }: { order?: number } = {},
): { value: number; slope: number } {
  const power = (u: number, at: number): number => (u === 0 ? -Math.log(at) : (1 - at ** u) / u);
  switch (kind) {
    case 'mix':
      return { value: -a! * Math.log(p) + b! * (1 - p), slope: a! + b! * p };
    case 'power':
      return { value: power(a!, p), slope: p ** a! };
    case 'focal':
      return {
        value: -((1 - p) ** a!) * Math.log(p),
        slope: (1 - p) ** a! - a! * (1 - p) ** (a! - 1) * p * Math.log(p),
      };
    case 'taylor': {
      let value = 0;
      for (let i = 1; i <= order; i++) value += (1 - p) ** i / i;
      return { value, slope: 1 - (1 - p) ** order };
    }
    case 'huber':
      return p > d!
        ? { value: power(a!, p), slope: p ** a! }
        : { value: -b! * p + b! * d! + power(a!, d!), slope: b! * p };
    case 'agce':
      return { value: ((a! + 1) ** b! - (a! + p) ** b!) / b!, slope: p * (a! + p) ** (b! - 1) };
    case 'aul':
      return { value: ((a! - p) ** b! - (a! - 1) ** b!) / b!, slope: p * (a! - p) ** (b! - 1) };
    case 'exponential':
      return { value: Math.exp(-p / a!), slope: (p / a!) * Math.exp(-p / a!) };
    default:
      throw new Error(kind);
  }
}

/** Values of the rows and the gradient of sum(dy value); a label outside the classes gives zeros. */
export function probabilityLoss(
  z: Dense,
  labels: readonly number[],
  kind: string,
  constants: readonly number[],
  options: { order?: number } = {},
  dy?: Dense,
): { values: Dense; gradient: Dense } {
  const [rows, classes] = z.shape as [number, number];
  const values = new Float64Array(rows);
  const gradient = accumulator(z.shape);
  for (let row = 0; row < rows; row++) {
    const label = labels[row]!;
    if (label < 0 || label >= classes) continue;
    const logits = Array.from(z.data.slice(row * classes, (row + 1) * classes));
    const top = Math.max(...logits);
    const total = logits.reduce((t, v) => t + Math.exp(v - top), 0);
    const p = logits.map((v) => Math.exp(v - top) / total);
    const { value, slope } = phi(kind, constants, p[label]!, options);
    values[row] = value;
    p.forEach((v, c) => {
      const g = (dy?.data[row] ?? 1) * slope;
      addTerm(gradient, row * classes + c, g * v);
      if (c === label) addTerm(gradient, row * classes + c, -g);
    });
  }
  return { values: { shape: [rows], data: values }, gradient };
}
