import { accumulator, addTerm, type Dense } from './dense.ts';

/** Which set, and which entry of gamma and beta, each element belongs to. */
export interface Sets {
  of: (i: number) => number;
  column: (i: number) => number;
}

/** What {@link standardize} does beside the normalisation. */
export interface Standardization {
  eps: number;
  relu?: boolean;
  /** Statistics to use in place of those of x. */
  given?: { mean: Dense; variance: Dense };
}

/** Batch norm of (batch, channels, ...). */
export function byChannel(shape: readonly number[]): Sets {
  const inner = shape.slice(2).reduce((n, d) => n * d, 1);
  const channel = (i: number): number => Math.floor(i / inner) % shape[1]!;
  return { of: channel, column: channel };
}

/** Layer norm over the last `axes` axes. */
export function byRow(shape: readonly number[], axes: number): Sets {
  const columns = shape.slice(shape.length - axes).reduce((n, d) => n * d, 1);
  return { of: (i) => Math.floor(i / columns), column: (i) => i % columns };
}

/** Group norm of (batch, channels, ...). */
export function byGroup(shape: readonly number[], groups: number): Sets {
  const inner = shape.slice(2).reduce((n, d) => n * d, 1);
  const channel = (i: number): number => Math.floor(i / inner);
  const width = shape[1]! / groups;
  return { of: (i) => Math.floor(channel(i) / width), column: (i) => channel(i) % shape[1]! };
}

interface Moments {
  count: number;
  mean: number;
  variance: number;
  /** Mean of |x|. */
  size: number;
}

/** Count, mean and biased variance of each set. */
export function moments(x: Dense, { of }: Sets): Moments[] {
  const out: Moments[] = [];
  const at = (i: number): Moments => (out[of(i)] ??= { count: 0, mean: 0, variance: 0, size: 0 });
  x.data.forEach((_, i) => at(i).count++);
  x.data.forEach((v, i) => {
    at(i).mean += v / at(i).count;
    at(i).size += Math.abs(v) / at(i).count;
  });
  x.data.forEach((v, i) => (at(i).variance += (v - at(i).mean) ** 2 / at(i).count));
  return out;
}

interface Element {
  xhat: number;
  rstd: number;
  /** How much an error of the statistics or of x grows in xhat, in units of xhat. */
  condition: number;
}

function elements(x: Dense, sets: Sets, { eps, given }: Standardization): Element[] {
  const all = moments(x, sets);
  return Array.from(x.data, (v, i) => {
    const s = sets.of(i);
    const m = given
      ? { mean: given.mean.data[s]!, variance: given.variance.data[s]!, size: Math.abs(given.mean.data[s]!) }
      : all[s]!;
    const rstd = 1 / Math.sqrt(m.variance + eps);
    const xhat = (v - m.mean) * rstd;
    return { xhat, rstd, condition: (1 + Math.abs(xhat)) * (1 + (m.size + Math.abs(v)) * rstd) };
  });
}

const entry = (t: Dense | null, j: number, plain: number): number => (t ? t.data[j]! : plain);

/** gamma (x - mean) / sqrt(var + eps) + beta; `sum` is the magnitude that roundings are relative to. */
export function standardize(
  x: Dense,
  gamma: Dense | null,
  beta: Dense | null,
  sets: Sets,
  options: Standardization,
): Dense {
  const y = accumulator(x.shape);
  elements(x, sets, options).forEach(({ xhat, condition }, i) => {
    const j = sets.column(i);
    const v = entry(gamma, j, 1) * xhat + entry(beta, j, 0);
    y.data[i] = options.relu ? Math.max(0, v) : v;
    y.sum[i] = Math.abs(entry(gamma, j, 1)) * condition + Math.abs(entry(beta, j, 0));
  });
  return y;
}

/** Gradients of {@link standardize} with respect to x, gamma and beta. */
export function standardizeGradient(
  dy: Dense,
  x: Dense,
  gamma: Dense | null,
  beta: Dense | null,
  sets: Sets,
  options: Standardization,
): [Dense, Dense | null, Dense | null] {
  const y = standardize(x, gamma, beta, sets, options);
  const e = elements(x, sets, options);
  const g = Array.from(dy.data, (v, i) => (options.relu && y.data[i]! <= 0 ? 0 : v));
  const [dx, dgamma, dbeta] = [x, gamma ?? x, beta ?? x].map((t) => accumulator(t.shape)) as [
    Required<Dense>,
    Required<Dense>,
    Required<Dense>,
  ];
  const totals = new Map<number, { n: number; h: number; along: number; size: number; sizeAlong: number }>();
  const of = (i: number) => {
    const s = sets.of(i);
    if (!totals.has(s)) totals.set(s, { n: 0, h: 0, along: 0, size: 0, sizeAlong: 0 });
    return totals.get(s)!;
  };
  const h = g.map((v, i) => v * entry(gamma, sets.column(i), 1));
  h.forEach((v, i) => {
    const t = of(i);
    t.n++;
    t.h += v;
    t.along += v * e[i]!.xhat;
    t.size += Math.abs(v);
    t.sizeAlong += Math.abs(v) * e[i]!.condition;
    const j = sets.column(i);
    if (gamma) {
      addTerm(dgamma, j, g[i]! * e[i]!.xhat);
      dgamma.sum[j]! += Math.abs(g[i]!) * e[i]!.condition;
    }
    if (beta) addTerm(dbeta, j, g[i]!);
  });
  h.forEach((v, i) => {
    const { n, h: total, along, size, sizeAlong } = of(i);
    const { xhat, rstd, condition } = e[i]!;
    dx.data[i] = options.given ? rstd * v : rstd * (v - total / n - (xhat * along) / n);
    dx.sum[i] =
      rstd * (condition * Math.abs(v) + (options.given ? 0 : (condition * size) / n + (condition * sizeAlong) / n));
  });
  return [dx, gamma ? dgamma : null, beta ? dbeta : null];
}
