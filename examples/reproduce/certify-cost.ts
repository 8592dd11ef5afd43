import { ABSTAIN, certifyAtRadius, certifyStaged, Smooth, type RadiusCertificates } from 'evenkeel/certify';
import { Linear, Sequential } from 'evenkeel/nn';
import { count, experiment, type Run, say, seedCount, type Verdict } from './lib/experiment.ts';
import { draw } from './certify-linear.ts';
import { eventLimit } from './lib/statistics.ts';

const CLASSIFIERS = 100;
const FEATURES = 64;
const SIGMA = 0.5;
/** Odd, so that no selection is tied. */
const SELECTION = 99;
const FIXED = 10_000;
/** Radii asked for, over sigma. */
const RADII = [0.5, 1, 2] as const;
/** True radii reach this many sigma. */
const FARTHEST = 3;
const ALPHA = 0.001;
const METHODS = ['fixed', 'sequence', 'staged'] as const;

/** The answers of one method about one radius, for the classifiers of one seed. */
export interface CertifyCostRun extends Run {
  seed: number;
  /** Over sigma. */
  radius: number;
  method: string;
  questions: number;
  /** Answers "robust", and how many of the classifiers are. */
  certified: number;
  robust: number;
  open: number;
  /** Certified beyond the true radius or of the wrong class, and rejected within it. */
  wrong: number;
  /** Mean number of copies, those of the selection included. */
  samples: number;
}

/** What was answered about the one input of a call. */
const answerOf = ({ decisions, selected, samples }: RadiusCertificates) => ({
  decision: decisions[0]!,
  label: selected[0]!,
  samples: samples[0]!,
});

/** What "is it robust at r?" costs by a confidence sequence, by stages, and by a fixed number of copies. */
export const certifyCost = experiment({
  id: 'certify-cost',
  title: 'Copies drawn by a confidence sequence against a fixed number',
  claim:
    'A confidence sequence draws at most a fifth of the copies of a fixed n, certifies at least 95 % as many ' +
    'of the classifiers, and is wrong no more often than alpha.',
  flags: { seeds: seedCount(`has ${CLASSIFIERS} classifiers`) },
  protocol: ({ seeds }) =>
    `${CLASSIFIERS} classifiers [w.x + b > 0] of ${FEATURES} normal weights, one point each at distances ` +
    `spread over 0 to ${FARTHEST} sigma, sigma ${SIGMA}, alpha ${ALPHA}, ${SELECTION} copies to select; is ` +
    `the radius at least ${RADII.join(', ')} sigma? ` +
    `Fixed: ${FIXED} copies, one certificate for all radii. Sequence: certifyAtRadius in batches of 100, at ` +
    `most ${FIXED}. Staged: certifyStaged, 1000 then ${FIXED}. Each has noise of its own; ` +
    `${count(seeds, 'seed')}. ` +
    'Copies and certified classifiers are compared at each radius; wrong answers, all radii and seeds ' +
    'together, stay below what a rate of alpha exceeds with probability 1e-6 for each method.',
  datasets: () => [],
  job: async (
    { seeds, classifiers = CLASSIFIERS, fixed = FIXED }: { seeds: number; classifiers?: number; fixed?: number },
    context,
  ) => {
    const { signal } = context;
    const runs: CertifyCostRun[] = [];
    using model = Sequential(Linear(FEATURES, 2)).init();
    for (let seed = 0; seed < seeds; seed++) {
      using smooth = new Smooth(model, { numClasses: 2, sigma: SIGMA, seed });
      const of = (radius: number, method: string): CertifyCostRun => ({
        seed,
        radius,
        method,
        questions: classifiers,
        certified: 0,
        robust: 0,
        open: 0,
        wrong: 0,
        samples: 0,
      });
      const these = RADII.map(
        (radius) =>
          Object.fromEntries(METHODS.map((method) => [method, of(radius, method)])) as Record<
            (typeof METHODS)[number],
            CertifyCostRun
          >,
      );
      let stream = 0;
      for (let i = 0; i < classifiers; i++) {
        const { w, b, x, distance } = draw(seed, i, (FARTHEST * (i + 0.5)) / classifiers);
        model.parameters.get('0.weight')!.write(Float32Array.from([...w.map(() => 0), ...w]));
        model.parameters.get('0.bias')!.write(Float32Array.of(0, b));
        const point = [x.data];
        const indices = [stream++];
        const { labels, radii } = await smooth.certify(point, {
          n0: SELECTION,
          n: fixed,
          alpha: ALPHA,
          indices: [stream++],
          signal,
        });
        // Each question draws copies that none before it has seen.
        let first = 0;
        for (const [r, radius] of RADII.entries()) {
          const options = { radius: radius * SIGMA, n0: SELECTION, alpha: ALPHA, indices, signal };
          const sequence = await certifyAtRadius(smooth, point, {
            ...options,
            first,
            maxSamples: fixed,
            batchSize: 100,
          });
          first += sequence.samples[0]!;
          const staged = await certifyStaged(smooth, point, { ...options, first, stages: [fixed / 10, fixed] });
          first += staged.samples[0]!;
          const answers = {
            fixed: {
              decision: labels[0] !== ABSTAIN && radii[0]! >= options.radius ? 'certified' : 'open',
              label: labels[0]!,
              samples: SELECTION + fixed,
            },
            sequence: answerOf(sequence),
            staged: answerOf(staged),
          };
          for (const method of METHODS) {
            const { decision, label, samples } = answers[method];
            const run = these[r]![method];
            const isRight = label === Number(distance > 0);
            const isRobust = Math.abs(distance) > options.radius;
            run.certified += Number(decision === 'certified');
            run.open += Number(decision !== 'certified' && decision !== 'rejected');
            run.robust += Number(isRobust);
            run.wrong += Number(
              decision === 'certified' ? !(isRight && isRobust) : decision === 'rejected' && isRight && isRobust,
            );
            run.samples += samples / classifiers;
          }
        }
      }
      for (const at of these) {
        for (const run of Object.values(at)) runs.push(run);
        const found = METHODS.map((m) => {
          const { samples, certified, wrong } = at[m];
          return `${m} ${samples.toFixed(0)} copies, ${certified} certified, ${wrong} wrong`;
        });
        const what = `radius ${at.fixed.radius} sigma, robust ${at.fixed.robust} of ${classifiers}`;
        say(context, `seed ${seed}, ${what}: ${found.join('; ')}`);
      }
    }
    return runs;
  },
  judge,
});

/** Holds when the sequence saves what the claim says at every radius, and no method is wrong too often. */
export function judge(runs: readonly CertifyCostRun[]): Verdict {
  const result: Record<string, unknown> = {};
  const rows: string[][] = [];
  let holds = runs.length > 0;
  const sum = (these: readonly CertifyCostRun[], of: (run: CertifyCostRun) => number): number =>
    these.reduce((total, run) => total + of(run), 0);
  for (const radius of new Set(runs.map((run) => run.radius))) {
    const figures = METHODS.map((method) => {
      const these = runs.filter((run) => run.radius === radius && run.method === method);
      const questions = sum(these, (run) => run.questions);
      return {
        method,
        questions,
        robust: sum(these, (run) => run.robust),
        certified: sum(these, (run) => run.certified),
        open: sum(these, (run) => run.open),
        wrong: sum(these, (run) => run.wrong),
        samples: sum(these, (run) => run.samples * run.questions) / questions,
      };
    });
    const [fixed, sequence] = figures as [(typeof figures)[0], (typeof figures)[0]];
    const ok = 5 * sequence.samples <= fixed.samples && sequence.certified >= 0.95 * fixed.certified;
    holds &&= ok;
    for (const f of figures)
      rows.push([
        `${radius} sigma`,
        f.method,
        f.samples.toFixed(0),
        (fixed.samples / f.samples).toFixed(1),
        `${f.certified} of ${f.robust}`,
        String(f.open),
        String(f.wrong),
        f === sequence ? (ok ? 'yes' : 'no') : '',
      ]);
    result[radius] = Object.fromEntries(figures.map((f) => [f.method, f]));
  }
  for (const method of runs.length > 0 ? METHODS : []) {
    const these = runs.filter((run) => run.method === method);
    const [wrong, questions] = [sum(these, (run) => run.wrong), sum(these, (run) => run.questions)];
    const limit = eventLimit(questions, ALPHA);
    holds &&= wrong <= limit;
    rows.push(['all', method, '', '', '', '', `${wrong} of ${questions} (<= ${limit})`, wrong <= limit ? 'yes' : 'no']);
  }
  return {
    result,
    holds,
    table: { head: ['radius', 'method', 'copies', 'saved, x', 'certified', 'open', 'wrong', 'holds'], rows },
  };
}
