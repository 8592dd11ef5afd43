import kernel from '../../shaders/standardize.wgsl';
import type { Operand } from '../gpu/chain.ts';
import type { Gpu } from '../gpu/device.ts';
import { lanesFor } from '../gpu/lanes.ts';
import { elementwise } from '../tensor/elementwise.ts';
import { unscoped } from '../tensor/scope.ts';
import { record, type InputGradient, type Into } from '../tensor/tape.ts';
import { clear, empty, tensor, zeros, type Tensor } from '../tensor/tensor.ts';
import { add, maskPositive, mul, sub } from './binary.ts';
import { bitsOf } from './element.ts';
import { indexSelect } from './gather.ts';
import { mean, sum } from './reduce.ts';
import { reshape } from './reshape.ts';
import { rsqrt, square } from './unary.ts';

/**
 * x seen as (batch, sets, inner): what lies in set s, x[., s, .], is normalised together. Position i of the inner axis
 * takes entry s % groups * width + i / span of gamma and beta.
 */
export interface SetView {
  batch: number;
  sets: number;
  inner: number;
  groups: number;
  width: number;
  span: number;
}

/** Means and variances that are averaged over batches in place, and the number of batches so far. */
export interface RunningStatistics {
  mean: Tensor;
  variance: Tensor;
  batches: Tensor<'i32'>;
}

/** Options of {@link standardize}. */
export interface StandardizeOptions {
  gamma: Tensor | null;
  beta: Tensor | null;
  eps: number;
  activation?: 'none' | 'relu';
  /** 'use': normalise by these instead of the statistics of x; 'update': average those of x into them. */
  running?: RunningStatistics & { mode: 'use' | 'update'; momentum: number | null };
}

/** Invocations that keep a GPU busy. */
const BUSY = 16_384;

/**
 * y = activation(gamma xhat + beta), xhat = (x - mean) / sqrt(var + eps) over each set: the core of batch, layer, group
 * and instance norm. Two passes over x forward (one with given statistics); backward a pass for the sums and one for
 * dx. Where the gradient is itself differentiated, it is made of elementwise ops and means.
 */
export function standardize(op: string, x: Tensor, view: SetView, options: StandardizeOptions): Tensor {
  const { eps, running, activation = 'none' } = options;
  const { gpu } = x;
  const { sets, groups, width } = view;
  const columns = groups * width;
  const gamma = options.gamma ?? (options.beta ? filled(columns, 1, x) : null);
  const beta = options.beta ?? (options.gamma ? filled(columns, 0, x) : null);
  const given = running?.mode === 'use';
  const isRelu = activation === 'relu';
  const y = empty(x.shape, { gpu });
  const table = empty([2, sets], { gpu });
  const variant = { AFFINE: gamma ? (width === 1 ? 1 : 2) : 0, SETS_FIRST: Number(view.inner === 1) };
  const settings = { eps, momentum: running?.momentum ?? 0, pitch: sets };
  const ofSet = (t: Tensor, start = 0): Operand => ({ type: 'f32', from: t, axes: setAxes(view), start });
  const ofColumn = (t: Tensor | null): Operand => ({ type: 'f32', from: t ?? table, axes: columnAxes(view) });
  const operands = { mean: ofSet(table), rstd: ofSet(table, sets), gamma: ofColumn(gamma), beta: ofColumn(beta) };
  if (x.size > 0) {
    if (given)
      kernel.prepare(
        { ...walk(view, 1), ...settings },
        { givenMean: running.mean, givenVar: running.variance, out: table },
        [sets],
      );
    else {
      const params = { ...walk(view, partsOf(view)), ...settings };
      const whole = wholeSets(gpu, view, params.parts);
      const lanes = whole ?? lanesFor(gpu, sets, params.parts, sets);
      const partial = whole ? x : empty([2, params.parts, sets], { gpu });
      if (!whole)
        kernel.statistics(params, { x, out: partial }, [sets * params.parts], { SETS_FIRST: variant.SETS_FIRST });
      if (running) {
        const CUMULATIVE = Number(running.momentum === null);
        if (CUMULATIVE) kernel.countBatch({}, { tracked: running.batches }, [1]);
        kernel[whole ? 'wholeTracked' : 'combineTracked'](
          params,
          { x: partial, out: table, runningMean: running.mean, runningVar: running.variance, tracked: running.batches },
          lanes.grid,
          { CUMULATIVE, ...lanes.variant },
        );
      } else {
        const buffers = { x: partial, out: table };
        kernel[whole ? 'wholeStatistics' : 'combineStatistics'](params, buffers, lanes.grid, lanes.variant);
      }
      if (!whole) partial.dispose();
    }
    const normalized = `(x - mean) * rstd * ${gamma ? 'gamma + beta' : '1.0 + 0.0'}`;
    elementwise(
      op,
      isRelu ? `maxOf(${normalized}, 0.0)` : normalized,
      { x: { type: 'f32', from: x }, ...operands },
      { type: 'f32', to: y },
      x.size,
    );
  }

  const inputs = [x, options.gamma, options.beta].filter((t) => t !== null);
  /** Gradients of x, gamma and beta as gradients of the inputs, among which the last two may be missing. */
  const ofInputs = <T>(found: T[]): T[] => found.filter((_, i) => i === 0 || (i === 1 ? options.gamma : options.beta));
  record(op, y, inputs, {
    isRelu,
    gradient: (dy) => ofInputs(composed(isRelu ? maskPositive(dy, y) : dy)),
    fused: (dy, into) => ofInputs(fused(dy, into)),
  });
  if (!y.tracksGrad) table.dispose();
  return y;

  function fused(dy: Tensor, into: Into): (Tensor | null)[] {
    const places = [options.gamma ? 1 : 0, options.beta ? inputs.length - 1 : 0];
    const gradients = places.map((i) => (i > 0 && into.wants(i) ? into.gradient(i) : null)) as [
      Tensor | null,
      Tensor | null,
    ];
    if (x.size === 0) return [zeros(x.shape, { gpu }), ...gradients.map((g) => g && clear(g))];
    const isMasking = isRelu && !into.isMasked;
    const masks = { RELU: Number(isMasking) };
    const buffers = { x, y, dy, table };
    const wanted = gradients.some((g) => g !== null);
    // The sums over a set are the gradients of its gamma and beta when these belong to it alone.
    const direct = sets === columns && width === 1;
    let total = table;
    let along = table;
    if ((into.wants(0) && !given) || (wanted && direct)) {
      total = (direct ? gradients[1] : null) ?? empty([sets], { gpu });
      along = (direct ? gradients[0] : null) ?? empty([sets], { gpu });
      const params = { ...walk(view, partsOf(view)), ...settings };
      const operands = { ...buffers, gamma: gamma ?? table };
      const whole = wholeSets(gpu, view, params.parts);
      if (whole) {
        const { AFFINE } = variant;
        const how = { ...whole.variant, AFFINE, ...masks };
        kernel.wholeSums(params, { ...operands, out: total, out2: along }, whole.grid, how);
      } else {
        const partial = empty([2, params.parts, sets], { gpu });
        kernel.sums(params, { ...operands, out: partial }, [sets * params.parts], { ...variant, ...masks });
        const lanes = lanesFor(gpu, sets, params.parts, sets);
        kernel.combineSums(params, { x: partial, out: total, out2: along }, lanes.grid, lanes.variant);
      }
    }
    if (wanted && !direct) {
      const byColumn = { ...view, batch: sets / groups, sets: columns, inner: view.span };
      const params = { ...walk(byColumn, partsOf(byColumn)), ...settings };
      const partial = empty([2, params.parts, columns], { gpu });
      kernel.affineSums(params, { ...buffers, out: partial }, [columns * params.parts], {
        SETS_FIRST: Number(view.span === 1),
        ...masks,
      });
      const [dgamma, dbeta] = gradients.map((g) => g ?? empty([columns], { gpu })) as [Tensor, Tensor];
      const lanes = lanesFor(gpu, columns, params.parts, columns);
      kernel.combineSums(params, { x: partial, out: dbeta, out2: dgamma }, lanes.grid, lanes.variant);
    }
    if (!into.wants(0)) return [null, ...gradients];
    const dx = empty(x.shape, { gpu });
    const g = isMasking ? 'select(0.0, dy, passes(y))' : 'dy';
    const [scale, h] = variant.AFFINE === 1 ? ['rstd * gamma', g] : ['rstd', variant.AFFINE === 2 ? `${g} * gamma` : g];
    const [mean, slope] = given ? ['0.0', '0.0'] : ['total / n', '(along / n)'];
    elementwise(
      `gradient of ${op}`,
      `${scale} * (${h} - ${mean} - (x - mean) * rstd * ${slope})`,
      {
        x: { type: 'f32', from: x },
        y: { type: 'f32', from: y },
        dy: { type: 'f32', from: dy },
        ...operands,
        total: ofSet(total),
        along: ofSet(along),
        n: { type: 'f32', from: bitsOf(view.batch * view.inner, 'f32', 'n') },
      },
      { type: 'f32', to: dx },
      x.size,
    );
    return [dx, ...gradients];
  }

  /** The same gradients of differentiable ops on (batch, groups, width, span). */
  function composed(dy: Tensor): InputGradient[] {
    const items = columns * view.span ? x.size / (columns * view.span) : 0;
    const shape = [items, groups, width, view.span];
    const over = { axes: sets === columns && width === 1 ? [0, 3] : [2, 3], keepDim: true };
    const z = reshape(x, shape);
    const g = reshape(dy, shape);
    const row = (k: number): Tensor => reshape(indexSelect(table, [k]), [1, groups, 1, 1]);
    const center = sub(z, given ? row(0) : mean(z, over));
    const rstd = given ? row(1) : rsqrt(add(mean(square(center), over), eps));
    const xhat = mul(center, rstd);
    const h = gamma ? mul(g, reshape(gamma, [1, groups, width, 1])) : g;
    const dx = given ? mul(h, rstd) : mul(rstd, sub(sub(h, mean(h, over)), mul(xhat, mean(mul(h, xhat), over))));
    const byColumn = (v: Tensor, t: Tensor): Tensor => reshape(sum(v, { axes: [0, 3] }), t.shape);
    return [() => reshape(dx, x.shape), () => byColumn(mul(g, xhat), gamma!), () => byColumn(g, beta!)];
  }
}

/** Where an element finds what its set has one of. */
function setAxes({ batch, sets, inner }: SetView): number[] {
  return [inner, 0, sets, 1, batch, 0];
}

/** Where an element finds its entry of gamma and beta. */
function columnAxes({ batch, sets, groups, width, span }: SetView): number[] {
  return [span, 0, width, 1, groups, width, (batch * sets) / groups, 0];
}

/** The walk of `parts` interleaved parts through each set, as the shader's `next` takes it. */
function walk(view: SetView, parts: number): SetView & { parts: number; hop: number; hopI: number } {
  const hopI = view.inner ? parts % view.inner : 0;
  return { ...view, parts, hop: Math.floor(parts / view.inner) * view.sets * view.inner + hopI, hopI };
}

/** Parts that a sum over each set is split into: by the shape alone, since bits depend on them. */
function partsOf({ batch, sets, inner }: SetView): number {
  // Few long rows, as of layer norm, have many short parts.
  const [chunk, most] = batch === 1 ? [16, 1024] : [64, 256];
  return Math.max(1, Math.min(most, Math.ceil((batch * inner) / chunk), Math.ceil(BUSY / sets)));
}

/** Parts whose sums a workgroup keeps (shaders/standardize.wgsl). */
const MOST_KEPT = 256;

/** A workgroup for each set, that takes all its parts and adds them up; null where that would leave the device idle. */
function wholeSets(gpu: Gpu, { sets, inner }: SetView, parts: number) {
  const GROUP = inner > 1 && parts <= MOST_KEPT ? gpu.tuning.groupOfSum(sets, parts) : 0;
  if (GROUP === 0) return null;
  const { PARTS, TAKES } = lanesFor(gpu, sets, parts, sets).variant;
  return { variant: { PARTS, TAKES, GROUP, partAt: 'return kept[part % 256u];' }, grid: [sets * GROUP] };
}

function filled(count: number, value: number, { gpu }: Tensor): Tensor {
  return gpu.constant(`${count} x ${value}`, () =>
    unscoped(() => tensor(new Float32Array(count).fill(value), { gpu })),
  );
}
