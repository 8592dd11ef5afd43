/** A matrix product y = a b, (m, n) with k terms; a is stored (k, m) and b (n, k) where transposed. */
export interface Product {
  kind: 'matmul';
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
}

/** A convolution of square images with stride 1, and with `gradients` those of the input and the filters too. */
export interface Convolution {
  kind: 'conv';
  batch: number;
  channels: number;
  size: number;
  filters: number;
  taps: number;
  padding: number;
  gradients: boolean;
}

/** l_p distances of the rows of (m, k) and (n, k), and with `gradients` those of both. */
export interface Distance {
  kind: 'distance';
  m: number;
  n: number;
  k: number;
  p: number;
  gradients: boolean;
}

/** A training step with SGD and momentum on 10 classes. */
export interface Training {
  batch: number;
  lr: number;
  momentum: number;
}

/** Linear layers with relu between. */
export interface Mlp extends Training {
  kind: 'mlp';
  widths: readonly number[];
}

/**
 * Two convolutions without padding, each with relu and 2 x 2 max pooling, and two linear layers, on 28 x 28 grey
 * images.
 */
export interface Cnn extends Training {
  kind: 'cnn';
  convolutions: readonly (readonly [filters: number, taps: number])[];
  hidden: number;
}

/** What is computed. Plain data; each engine knows some of the kinds. */
export type Work =
  | Product
  | Convolution
  | Distance
  | Mlp
  | Cnn
  | { kind: 'softmax'; rows: number; classes: number }
  | { kind: 'batch-norm'; batch: number; channels: number; size: number }
  | { kind: 'reduce'; rows: number; columns: number }
  | { kind: 'elementwise'; rows: number; columns: number }
  | ({ kind: 'resnet'; depth: 20 | 32 } & Training)
  | ({ kind: 'linf-mlp'; widths: readonly number[]; p: number } & Training)
  | { kind: 'certify'; net: 'lenet' | 'mlp'; batch: number; n0: number; n: number; sigma: number };

/** One kind of work. */
export type WorkOf<K extends Work['kind']> = Extract<Work, { kind: K }>;

/** One timed piece of work. */
export interface Workload {
  name: string;
  title: string;
  work: Work;
  /** Multiply-adds count as two operations; null where the adapter's peak says nothing about the work. */
  operations: number | null;
  /** Read once plus written once; null where that is no limit. */
  bytes: number | null;
  /** Largest accepted error of another engine's result, relative to the largest value. */
  tolerance: number;
  /** A software adapter would take minutes. */
  hardwareOnly: boolean;
}

const SGD = { lr: 0.01, momentum: 0.9 };
type Rest = Partial<Pick<Workload, 'operations' | 'bytes' | 'tolerance' | 'hardwareOnly'>>;

function workload(name: string, title: string, work: Work, rest: Rest = {}): Workload {
  return { name, title, work, operations: null, bytes: null, tolerance: 1e-4, hardwareOnly: false, ...rest };
}

function product(name: string, m: number, n: number, k: number, layout: 'NN' | 'TN' | 'NT' = 'NN'): Workload {
  const work = { kind: 'matmul', m, n, k, transposeA: layout === 'TN', transposeB: layout === 'NT' } as const;
  const title = `matmul ${m === n && n === k ? m : `${m}x${k} by ${k}x${n}`}${layout === 'NN' ? '' : ` ${layout}`}`;
  return workload(`matmul-${name}`, title, work, {
    operations: 2 * m * n * k,
    bytes: 4 * (m * k + k * n + m * n),
    tolerance: 1e-5,
    hardwareOnly: m * n * k > 2 ** 30,
  });
}

function convolution(
  name: string,
  batch: number,
  [channels, size, filters, taps, padding]: readonly number[] & { length: 5 },
): Workload[] {
  const out = size! + 2 * padding! - taps! + 1;
  const terms = batch * filters! * out * out * channels! * taps! * taps!;
  const values = batch * (channels! * size! * size! + filters! * out * out) + filters! * channels! * taps! * taps!;
  const make = (gradients: boolean): Workload => {
    const work = {
      kind: 'conv',
      batch,
      channels: channels!,
      size: size!,
      filters: filters!,
      taps: taps!,
      padding: padding!,
      gradients,
    } as const;
    const title =
      `conv ${taps}x${taps} ${channels}->${filters}, ${size}x${size}, batch ` +
      `${batch}${gradients ? ', with both gradients' : ''}`;
    const passes = gradients ? 3 : 1;
    return workload(`conv-${name}${gradients ? '-gradients' : ''}`, title, work, {
      operations: 2 * passes * terms,
      bytes: 4 * passes * values,
      hardwareOnly: batch >= 128,
    });
  };
  return [make(false), make(true)];
}

function distance(name: string, p: number, gradients = false): Workload {
  const [m, n, k] = [512, 512, 512];
  const title = `l_${p === Infinity ? 'inf' : p} distance ${m}x${n}x${k}${gradients ? ', with gradients' : ''}`;
  return workload(`distance-${name}`, title, { kind: 'distance', m, n, k, p, gradients });
}

function mlp(name: string, widths: readonly number[], batch: number): Workload {
  return workload(
    name,
    `MLP step ${widths.join('-')}, batch ${batch}`,
    { kind: 'mlp', widths, batch, ...SGD },
    { tolerance: 1e-3 },
  );
}

function cnn(name: string, title: string, convolutions: Cnn['convolutions'], hidden: number): Workload {
  return workload(
    name,
    `${title} step, batch 64`,
    { kind: 'cnn', convolutions, hidden, batch: 64, ...SGD },
    { tolerance: 1e-3 },
  );
}

/** Layers of LeNet and of the CIFAR ResNets: channels, image, filters, taps, padding. */
const LAYERS = {
  lenet1: [1, 28, 20, 5, 0],
  lenet2: [20, 12, 50, 5, 0],
  resnet1: [16, 32, 16, 3, 1],
  resnet2: [32, 16, 32, 3, 1],
  resnet3: [64, 8, 64, 3, 1],
} as const;

/** The MLP that the cold start trains. */
export const FIRST_MLP: Mlp = { kind: 'mlp', widths: [784, 256, 128, 10], batch: 128, ...SGD };

/** All workloads that run in one page, in order. */
export const WORKLOADS: readonly Workload[] = [
  ...[256, 512, 625, 1024, 2048, 4096].map((size) => product(String(size), size, size, size)),
  product('512-tn', 512, 512, 512, 'TN'),
  product('512-nt', 512, 512, 512, 'NT'),
  product('wide', 16, 1024, 1024),
  product('tall', 4096, 10, 256),
  product('long', 128, 64, 8192, 'TN'),
  ...convolution('lenet1', 64, LAYERS.lenet1),
  ...convolution('lenet2', 64, LAYERS.lenet2),
  ...convolution('resnet1', 16, LAYERS.resnet1),
  ...convolution('resnet2', 16, LAYERS.resnet2),
  ...convolution('resnet3', 16, LAYERS.resnet3),
  ...convolution('resnet1-128', 128, LAYERS.resnet1),
  ...convolution('resnet2-128', 128, LAYERS.resnet2),
  ...convolution('resnet3-128', 128, LAYERS.resnet3),
  distance('inf', Infinity),
  distance('8', 8),
  distance('3', 3),
  distance('inf-gradients', Infinity, true),
  distance('8-gradients', 8, true),
  distance('3-gradients', 3, true),
  workload(
    'softmax',
    'softmax cross-entropy 1024x1000 and its gradient',
    { kind: 'softmax', rows: 1024, classes: 1000 },
    { bytes: 8 * 1024 * 1000 },
  ),
  workload(
    'batch-norm',
    'batch norm 32x32x16x16 and its gradients',
    { kind: 'batch-norm', batch: 32, channels: 32, size: 16 },
    { bytes: 24 * 32 * 32 * 256, tolerance: 1e-3 },
  ),
  workload(
    'reduce',
    'three reductions of 2048x1000',
    { kind: 'reduce', rows: 2048, columns: 1000 },
    { bytes: 3 * 4 * 2048 * 1000 },
  ),
  workload(
    'elementwise',
    'chain of nine elementwise ops on 1024x1024',
    { kind: 'elementwise', rows: 1024, columns: 1024 },
    { bytes: 8 * 1024 * 1024 },
  ),
  mlp('mlp', FIRST_MLP.widths, FIRST_MLP.batch),
  mlp('mlp-batch-32', FIRST_MLP.widths, 32),
  mlp('mlp-batch-512', FIRST_MLP.widths, 512),
  mlp('mlp-width-64', [784, 64, 32, 10], 128),
  mlp('mlp-width-1024', [784, 1024, 512, 10], 128),
  cnn(
    'cnn',
    'CNN 5x5 24, 3x3 32, 128',
    [
      [24, 5],
      [32, 3],
    ],
    128,
  ),
  cnn(
    'lenet',
    'LeNet 5x5 20, 5x5 50, 500',
    [
      [20, 5],
      [50, 5],
    ],
    500,
  ),
  workload('linf-mlp', 'l_inf-distance MLP step 784-256-256-10, p = 8, batch 256', {
    kind: 'linf-mlp',
    widths: [784, 256, 256, 10],
    p: 8,
    batch: 256,
    ...SGD,
  }),
  workload(
    'resnet20',
    'ResNet-20 step, batch 128',
    { kind: 'resnet', depth: 20, batch: 128, ...SGD },
    { hardwareOnly: true },
  ),
  workload(
    'resnet32',
    'ResNet-32 step, batch 128',
    { kind: 'resnet', depth: 32, batch: 128, ...SGD },
    { hardwareOnly: true },
  ),
  workload('certify-lenet', 'certification of LeNet, a noisy copy', {
    kind: 'certify',
    net: 'lenet',
    batch: 250,
    n0: 250,
    n: 1000,
    sigma: 0.5,
  }),
  workload('certify-mlp', 'certification of the MLP, a noisy copy', {
    kind: 'certify',
    net: 'mlp',
    batch: 1000,
    n0: 1000,
    n: 9000,
    sigma: 0.25,
  }),
];

/** The workload that needs pages of its own. */
export const COLD_START = 'cold-start';

/** Every name that `--only` takes, beside prefixes of them. */
export const NAMES: readonly string[] = [...WORKLOADS.map(({ name }) => name), COLD_START];

/** The names that one of `wanted` equals, or else begins; null where a wanted one fits none. */
export function select(wanted: readonly string[]): string[] | null {
  const found = wanted.map((w) =>
    NAMES.includes(w) ? [w] : w === '' ? [] : NAMES.filter((name) => name.startsWith(w)),
  );
  return found.every((names) => names.length > 0) ? NAMES.filter((name) => found.flat().includes(name)) : null;
}

/** Weights of a model by PyTorch's names and shapes; each has a bias as long as its first axis. */
export function weightShapes(model: Mlp | Cnn): [name: string, shape: number[]][] {
  if (model.kind === 'mlp') return model.widths.slice(1).map((width, i) => [`fc${i + 1}`, [width, model.widths[i]!]]);
  const layers: [string, number[]][] = [];
  let [channels, size] = [1, 28];
  model.convolutions.forEach(([filters, taps], i) => {
    layers.push([`conv${i + 1}`, [filters, channels, taps, taps]]);
    [channels, size] = [filters, Math.floor((size - taps + 1) / 2)];
  });
  return [...layers, ['fc1', [model.hidden, channels * size * size]], ['fc2', [10, model.hidden]]];
}
