import type { Adapter } from './job.ts';
import type { Method } from '../../examples/reproduce/ldam-drw.ts';

/** One bin of a reliability diagram; confidence and accuracy are null where it is empty. */
export interface Bin {
  lo: number;
  hi: number;
  count: number;
  confidence: number | null;
  accuracy: number | null;
}

/** One certified test image: its place in the test set, its label, the certified class (-1: abstained) and radius. */
export interface Certificate {
  index: number;
  label: number;
  predicted: number;
  radius: number;
}

/** Results of one method. Accuracies and errors are fractions; null where a group has no class. */
export interface MethodSummary {
  name: Method;
  accuracy: number;
  balancedAccuracy: number;
  perClass: number[];
  many: number | null;
  medium: number | null;
  few: number | null;
  ece: number;
  eceScaled: number;
  temperature: number;
  /** Classes that the temperature was fitted for. */
  prior: 'balanced' | number[];
  /** Of training. */
  seconds: number;
  stepsPerSecond: number;
  certified: {
    sigma: number;
    n: number;
    alpha: number;
    acr: number;
    accuracyAtRadius: [number, number][];
    n0: number;
    seconds: number;
    points: Certificate[];
  };
  /** Values after each epoch, on the training loss and on the calibration part. */
  history: { loss: number[]; balancedAccuracy: number[] };
  reliability: { before: Bin[]; after: Bin[] };
  parameters: number;
}

/** Contents of summary.json. */
export interface Summary {
  adapter: Adapter;
  dataset: string;
  seed: number;
  methods: MethodSummary[];
  imbFactor: number;
  epochs: number;
  quick: boolean;
  host: string;
  /** Outputs of the linear layers before the classifier. */
  widths: readonly number[];
  classCounts: number[];
  sizes: { train: number; calib: number; test: number };
  seconds: number;
  /** The call that gives this result again. */
  command: string;
}
