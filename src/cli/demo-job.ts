import { type Dataset } from 'evenkeel/data';
import { estimatePrior, temperatureScaling, softmaxRows } from 'evenkeel/calibrate';
import { certifyDataset, Smooth } from 'evenkeel/certify';
import {
  accuracy,
  averageCertifiedRadius,
  balancedAccuracy,
  calibrationError,
  certifiedAccuracy,
  perClassAccuracy,
  reliabilityDiagram,
  shotAccuracy,
  type ReliabilityBin,
} from 'evenkeel/metrics';
import type { Sequential } from 'evenkeel/nn';
import { fit } from 'evenkeel/train';
import { METHOD_TITLES, type Method } from '../../examples/reproduce/ldam-drw.ts';
import type { DemoSettings } from './demo-settings.ts';
import type { JobContext } from './job.ts';
import { assemble, longTailedParts, probabilities, type Parts } from './methods.ts';
import type { Bin, Certificate, MethodSummary } from './summary.ts';

/** Options of {@link demoJob}. */
export interface DemoOptions {
  methods: readonly Method[];
  imbFactor: number;
  seed: number;
  settings: DemoSettings;
}

/** What {@link demoJob} finds. */
export interface DemoResult {
  methods: MethodSummary[];
  classCounts: number[];
  sizes: { train: number; calib: number; test: number };
}

const BINS = { numBins: 15 };
const RADII = Array.from({ length: 21 }, (_, i) => i / 20);

/**
 * The main job: for each method train on the long-tailed set with noisy inputs, test on the whole official test set
 * after the last epoch, calibrate on the held-out part, and certify. Saves `<method>.safetensors`.
 */
export async function demoJob(
  { methods, imbFactor, seed, settings }: DemoOptions,
  context: JobContext,
): Promise<DemoResult> {
  const parts = await longTailedParts(context.datasets[0]!, { imbFactor, calibShare: settings.calibShare, seed });
  const summaries: MethodSummary[] = [];
  for (const method of methods) summaries.push(await runMethod(method, parts, { seed, settings }, context));
  const { train, calib, test, classCounts } = parts;
  return {
    methods: summaries,
    classCounts,
    sizes: { train: train.y.length, calib: calib!.y.length, test: test.y.length },
  };
}

async function runMethod(
  name: Method,
  { train, calib, test }: Parts,
  { seed, settings }: { seed: number; settings: DemoSettings },
  context: JobContext,
): Promise<MethodSummary> {
  const { recipe, sigma } = settings;
  const { emit, signal } = context;
  const title = METHOD_TITLES[name];
  const { model, loss, optimizer, schedule } = assemble(name, train, recipe, seed);
  try {
    const history = { loss: [] as number[], balancedAccuracy: [] as number[] };
    emit({
      type: 'phase',
      label: `${title} train`,
      total: recipe.epochs * Math.ceil(train.y.length / recipe.batchSize),
    });
    const trained = await fit(model, train, {
      loss,
      optimizer,
      schedule,
      epochs: recipe.epochs,
      batchSize: recipe.batchSize,
      inputNoise: sigma,
      seed,
      signal,
      onStep: ({ step, epoch, epochs, loss, stepsPerSecond }) =>
        emit({ type: 'step', done: step, stepsPerSecond, loss, note: `epoch ${epoch + 1}/${epochs}` }),
      onEpoch: async ({ loss }) => {
        history.loss.push(loss);
        history.balancedAccuracy.push(balancedAccuracy(await probabilities(model, calib!), calib!.y));
      },
    });

    emit({ type: 'phase', label: `${title} test`, total: 2 });
    const logits = await model.logits(test.x, { signal });
    emit({ type: 'step', done: 1 });
    const probs = softmaxRows(logits);
    const calibLogits = await model.logits(calib!.x, { signal });
    // The calibration part is long-tailed: its images weigh as the classes of the test set come.
    const isBalanced = Math.max(...test.classCounts) < 2 * Math.min(...test.classCounts);
    const prior = isBalanced ? 'balanced' : estimatePrior(softmaxRows(calibLogits), calib!.y, probs).prior;
    const { temperature } = temperatureScaling().fit(calibLogits, calib!.y, { prior });
    const scaledProbs = softmaxRows(logits, temperature);
    emit({ type: 'step', done: 2 });
    const certified = await certify(model, test, { sigma, seed, ...settings.certify }, title, context);
    context.save(`${name}.safetensors`, await model.save());
    return {
      name,
      accuracy: accuracy(probs, test.y),
      balancedAccuracy: balancedAccuracy(probs, test.y),
      perClass: perClassAccuracy(probs, test.y),
      ...shotAccuracy(probs, test.y, { classCounts: train.classCounts, shots: 'thirds' }),
      ece: calibrationError(probs, test.y, BINS),
      eceScaled: calibrationError(scaledProbs, test.y, BINS),
      temperature,
      prior,
      seconds: trained.seconds,
      stepsPerSecond: trained.stepsPerSecond,
      certified,
      history,
      reliability: {
        before: reliabilityDiagram(probs, test.y, BINS).map(plain),
        after: reliabilityDiagram(scaledProbs, test.y, BINS).map(plain),
      },
      parameters: model.parameterCount,
    };
  } finally {
    loss.dispose();
    model.dispose();
  }
}

async function certify(
  model: Sequential,
  test: Dataset,
  { images, sigma, seed, n0, n, alpha, batchSize }: DemoSettings['certify'] & { sigma: number; seed: number },
  title: string,
  { emit, signal }: JobContext,
): Promise<MethodSummary['certified']> {
  const stride = Math.max(1, Math.floor(test.y.length / images));
  const indices = Array.from({ length: Math.min(images, test.y.length) }, (_, i) => i * stride);
  const smooth = new Smooth(model, { numClasses: test.numClasses, sigma, seed });
  try {
    emit({ type: 'phase', label: `${title} certify`, total: indices.length });
    const start = performance.now();
    const points: Certificate[] = [];
    for await (const { row, done } of certifyDataset(smooth, test, { indices, n0, n, alpha, batchSize, signal })) {
      points.push({ index: row.index, label: row.label, predicted: row.predict, radius: row.radius });
      emit({ type: 'step', done });
    }
    const radii = points.map(({ radius }) => radius);
    const correct = points.map(({ label, predicted }) => label === predicted);
    const curve = certifiedAccuracy(radii, correct, RADII);
    const seconds = (performance.now() - start) / 1000;
    return {
      sigma,
      n,
      alpha,
      acr: averageCertifiedRadius(radii, correct),
      accuracyAtRadius: RADII.map((r, i) => [r, curve[i]!]),
      n0,
      seconds,
      points,
    };
  } finally {
    smooth.dispose();
  }
}

function plain({ lo, hi, count, confidence, accuracy }: ReliabilityBin): Bin {
  return { lo, hi, count, confidence: count > 0 ? confidence : null, accuracy: count > 0 ? accuracy : null };
}
