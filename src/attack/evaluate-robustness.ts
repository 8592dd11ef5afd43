import { check, integer } from '../check/check.ts';
import { expectOptions } from '../check/options.ts';
import { currentGpu, type Gpu } from '../gpu/device.ts';
import { NonFiniteError, ShapeError } from '../gpu/errors.ts';
import { key, splitKey } from '../random/key.ts';
import { classOfRow, NO_CLASS } from '../stats/class-of-row.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../tensor/array-input.ts';
import { NdArray } from '../tensor/ndarray.ts';
import { sizeOf } from '../tensor/shape.ts';
import { noGrad } from '../tensor/tape.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { checkBall, outsideOf, type Ball, type PerChannel } from './ball.ts';
import { checkReached, checkSound, countFlat, looksLikeProbabilities, warningsOf } from './evaluation-checks.ts';
import { holding, kept, type AttackedModel } from './model.ts';
import { namedAttack, standardAttacks, type AttackName, type Budget, type NamedAttack } from './named-attacks.ts';

/** Options of {@link evaluateRobustness}. */
export interface RobustnessOptions extends Ball, Budget {
  /**
   * In this order, each on the images that are still classified right: names, or attacks of your own. Default:
   * 'apgd-ce', 'apgd-t' and 'square', AutoAttack's "standard" without FAB; for l2 without 'square'; with 3 classes
   * 'apgd-dlr' in place of 'apgd-t', with 2 neither.
   */
  attacks?: readonly (AttackName | NamedAttack)[];
  /**
   * Images that a certificate for this ball says to be safe, such as those of `certifyBounds`: an attack that breaks
   * one is an error.
   */
  certified?: ArrayLike<boolean>;
  /** Images on the device at a time. Default: 250. */
  batchSize?: number;
  /** Default: 0. */
  seed?: number;
  signal?: AbortSignal;
  /** Called after each attack. */
  onAttack?: (done: AttackSummary) => void;
  /** Default: that of the last `init`. */
  gpu?: Gpu;
}

const KNOWN = [
  'eps',
  'norm',
  'clip',
  'steps',
  'restarts',
  'queries',
  'numTargets',
  'attacks',
  'certified',
  'batchSize',
  'seed',
  'signal',
  'onAttack',
  'gpu',
] as const;

/** What one attack did. */
export interface AttackSummary {
  name: string;
  /** Images that it was run on, and how many of them it broke. */
  attacked: number;
  broken: number;
  /** Share of all images that are classified right after it and those before it. */
  accuracy: number;
}

/** One image of a {@link RobustnessReport}. */
export interface ImageOutcome {
  label: number;
  /**
   * Class of the image itself, and of its point in `adversarial`; -1: none, as its outputs hold a NaN or an infinity
   * twice.
   */
  predicted: number;
  attackedAs: number;
  /** 'clean' when misclassified without an attack, the attack that broke it, or null: it stood. */
  brokenBy: string | null;
}

/** What {@link evaluateRobustness} finds; the accuracies as RobustBench's `benchmark` reports them. */
export interface RobustnessReport {
  norm: 'linf' | 'l2';
  eps: PerChannel;
  cleanAccuracy: number;
  robustAccuracy: number;
  /** Share of images that are certified. Only with `certified`. */
  certifiedAccuracy?: number;
  attacks: AttackSummary[];
  /**
   * Signs that the attacks may be misled, such as outputs that are probabilities or differ from call to call; mostly
   * empty.
   */
  warnings: string[];
  images: ImageOutcome[];
  /** For each image the point that broke it, else the image itself. */
  adversarial: NdArray<Float32Array>;
}

/**
 * Accuracy on images, and under attacks in turn, each run on the images that the ones before have not broken:
 * AutoAttack's cascade (Croce and Hein, ICML 2020). A point counts only if the model, in evaluation mode, gives it
 * another class than the label and it lies in the ball and inside `clip` (up to 1e-6), both checked after the attack.
 * Clean >= each attack >= certified holds on every image: a certified image that is misclassified or broken throws an
 * Error that names it. An image to which the model gives no class, because its outputs hold a NaN or an infinity twice,
 * is misclassified without an attack; an attack that leads to such a point, or whose gradient is not finite, rejects
 * with a NonFiniteError. input: images (n, ...). Throws RangeError on a bad option, label or pixel, ShapeError when
 * sizes differ.
 */
export function evaluateRobustness(
  model: AttackedModel,
  input: ArrayInput,
  labelsInput: LabelsInput,
  options: RobustnessOptions,
): Promise<RobustnessReport> {
  expectOptions('evaluateRobustness', options, KNOWN);
  return holding('evaluateRobustness', model, (held) => cascade(held, input, labelsInput, options));
}

async function cascade(
  model: AttackedModel,
  input: ArrayInput,
  labelsInput: LabelsInput,
  options: RobustnessOptions,
): Promise<RobustnessReport> {
  const { norm = 'linf', eps, certified, batchSize = 250, seed = 0, signal, onAttack, gpu = currentGpu() } = options;
  const images = await readArray('evaluateRobustness: images', input);
  const labels = await readLabels('evaluateRobustness: labels', labelsInput);
  checkInputs(images, labels, options);
  const n = images.length;
  const size = sizeOf(images.shape.slice(1));
  const adversarial = new NdArray(Float32Array.from(images.data), images.shape);
  const outcomes: ImageOutcome[] = [];
  const upload = (rows: readonly number[]): { x: Tensor; y: Tensor<'i32'> } =>
    kept(() => {
      const data = new Float32Array(rows.length * size);
      rows.forEach((row, i) => data.set(images.data.subarray(row * size, (row + 1) * size), i * size));
      return {
        x: tensor(data, { shape: [rows.length, ...images.shape.slice(1)], gpu }),
        y: tensor(
          rows.map((row) => labels[row]!),
          { dtype: 'i32', gpu },
        ),
      };
    });
  /** Runs `f` on the given images, some at a time. */
  const inBatches = async (
    rows: readonly number[],
    f: (batch: number[], x: Tensor, y: Tensor<'i32'>) => Promise<void>,
  ): Promise<void> => {
    for (let start = 0; start < rows.length; start += batchSize) {
      signal?.throwIfAborted();
      const batch = rows.slice(start, start + batchSize);
      const { x, y } = upload(batch);
      try {
        await f(batch, x, y);
      } finally {
        x.dispose();
        y.dispose();
      }
    }
  };
  const alongGradients = (options.attacks ?? ['apgd-ce']).some((a) => typeof a === 'string' && a !== 'square');
  const seen = { numClasses: 0, images: 0, flat: 0, lost: 0, isRandom: false, areProbabilities: true };
  await inBatches(
    Array.from({ length: n }, (_, i) => i),
    async (batch, x, y) => {
      const found = await predict(model, x);
      const { classes } = found;
      seen.numClasses = classes;
      seen.areProbabilities &&= looksLikeProbabilities(found.values, classes);
      batch.forEach((row, i) => {
        const [label, predicted] = [labels[row]!, found.predicted[i]!];
        if (!(Number.isInteger(label) && label >= 0 && label < classes))
          throw new RangeError(
            `evaluateRobustness: labels[${row}] is ${label}, expected an integer in 0..${classes - 1}`,
          );
        outcomes[row] = { label, predicted, attackedAs: predicted, brokenBy: predicted === label ? null : 'clean' };
        if (predicted === NO_CLASS) seen.lost++;
        checkSound(row, outcomes[row], certified);
      });
      if (seen.images > 0) return;
      const again = await predict(model, x);
      const isRandom = again.values.some((v, i) => !Object.is(v, found.values[i]));
      Object.assign(seen, { images: batch.length, isRandom, flat: alongGradients ? await countFlat(model, x, y) : 0 });
    },
  );
  const standing = (): number[] => outcomes.flatMap((o, row) => (o.brokenBy === null ? [row] : []));
  const cleanAccuracy = standing().length / n;
  const summaries: AttackSummary[] = [];
  const attacks = (options.attacks ?? standardAttacks(norm, seen.numClasses)).map((a) =>
    typeof a === 'string' ? namedAttack(a, options, seen.numClasses) : a,
  );
  for (const [at, { name, run, rounds = 1 }] of attacks.entries()) {
    const attacked = standing().length;
    for (let round = 0; round < rounds; round++) {
      await inBatches(standing(), async (batch, x, y) => {
        // One stream for each attack, round and first image of the batch.
        const [own] = splitKey(splitKey(splitKey(key(seed), at), round), batch[0]!);
        const points = await run(model, x, y, {
          eps,
          norm,
          clip: options.clip === undefined ? [0, 1] : options.clip,
          seed: own,
          round,
          ...(signal && { signal }),
        });
        try {
          if (points.shape.join() !== x.shape.join())
            throw new ShapeError(`evaluateRobustness: ${name} gave shape [${points.shape}], expected [${x.shape}]`);
          const [values, { predicted }] = await Promise.all([points.read(), predict(model, points)]);
          batch.forEach((row, i) => {
            const outcome = outcomes[row]!;
            if (predicted[i] === outcome.label) return;
            const point = values.subarray(i * size, (i + 1) * size);
            if (predicted[i] === NO_CLASS)
              throw new NonFiniteError(
                `evaluateRobustness: ${name} moved image ${row} to where the model gives no class, its ` +
                  'outputs hold a NaN or an infinity twice: neither broken nor robust; mend the model, or ' +
                  'leave the image out',
              );
            checkReached(
              name,
              row,
              point,
              images.data.subarray(row * size, (row + 1) * size),
              options,
              images.shape[1]!,
            );
            adversarial.data.set(point, row * size);
            Object.assign(outcome, { attackedAs: predicted[i]!, brokenBy: name });
            checkSound(row, outcome, certified);
          });
        } finally {
          points.dispose();
        }
      });
    }
    const left = standing().length;
    summaries.push({ name, attacked, broken: attacked - left, accuracy: left / n });
    onAttack?.(summaries.at(-1)!);
  }
  const report = {
    norm,
    eps,
    cleanAccuracy,
    robustAccuracy: standing().length / n,
    attacks: summaries,
    warnings: warningsOf(seen, summaries),
    images: outcomes,
    adversarial,
  };
  return certified ? { ...report, certifiedAccuracy: Array.from(certified).filter(Boolean).length / n } : report;
}

/** The class of each row, NO_CLASS for none, the number of classes, and the outputs. */
async function predict(
  model: AttackedModel,
  x: Tensor,
): Promise<{ predicted: number[]; classes: number; values: Float32Array }> {
  const logits = kept(() => noGrad(() => model.forward(x).detach()));
  try {
    if (logits.rank !== 2 || logits.shape[0] !== x.shape[0])
      throw new ShapeError(
        `evaluateRobustness: the model gives shape [${logits.shape}], expected (${x.shape[0]}, classes)`,
      );
    const classes = logits.shape[1]!;
    const values = await logits.read();
    const predicted = Array.from({ length: x.shape[0]! }, (_, i) => classOfRow(values, i, classes));
    return { predicted, classes, values };
  } finally {
    logits.dispose();
  }
}

function checkInputs(images: NdArray, labels: ArrayLike<number>, options: RobustnessOptions): void {
  const { clip = [0, 1], certified, batchSize = 250 } = options;
  check('evaluateRobustness', { batchSize }, { batchSize: integer(1) });
  if (images.shape.length < 2 || images.length === 0)
    throw new ShapeError(
      `evaluateRobustness: images have shape [${images.shape}], expected (n, ...) with at least one image`,
    );
  checkBall('evaluateRobustness', options, images.shape);
  for (const [name, list] of Object.entries({ labels, certified })) {
    if (list && list.length !== images.length)
      throw new ShapeError(
        `evaluateRobustness: ${name} has ${list.length} entries, expected ${images.length}, one for each image`,
      );
  }
  const { place, message } = outsideOf(images.data, images.shape, clip);
  if (place >= 0)
    throw new RangeError(
      `evaluateRobustness: image ${Math.floor(place / sizeOf(images.shape.slice(1)))} has a pixel ` +
        `${images.data[place]}, ${message}`,
    );
}
