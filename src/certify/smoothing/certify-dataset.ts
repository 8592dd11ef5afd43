import { check, integer } from '../../check/check.ts';
import { expectOptions } from '../../check/options.ts';
import { readArray, readLabels, type ArrayInput, type LabelsInput } from '../../tensor/array-input.ts';
import type { NdArray } from '../../tensor/ndarray.ts';
import { formatCertificate, roundedDown, type CertificateRow } from './certificate-table.ts';
import { ABSTAIN } from '../certificates.ts';
import { takeRows } from './draws.ts';
import type { CertifyOptions, Smooth } from './smooth.ts';

/** Options of {@link certifyDataset}. */
export interface CertifyDatasetOptions extends CertifyOptions {
  /** Which inputs, in this order, each once; the noise of an input is that of its index. Default: all. */
  indices?: ArrayLike<number>;
  /**
   * Inputs certified together. Default: as many as fill a batch with their n0 copies, but at most 100 batches in all.
   */
  concurrency?: number;
  /**
   * Rows of the same run, from the first of `indices` on, that need not be computed again: those of parseCertificates.
   */
  resumeFrom?: readonly CertificateRow[];
}

/** A row, and how far the run is. */
export interface CertifiedRow {
  row: CertificateRow;
  /** The row as a line of the table, with its end. */
  line: string;
  /** Rows so far, those of `done` among them, and rows in all. */
  done: number;
  total: number;
  /** Seconds that the rest will take, at the pace so far. */
  remaining: number;
}

/** Rows that are computed again to see that `resumeFrom` is of this run. */
const CHECKED = 2;

/**
 * Certifies the inputs of a data set one after the other, {@link Smooth.certify} with the noise of their indices, so
 * that a row does not depend on the others, on `concurrency` or on an interruption:
 *
 *     const { rows, text } = parseCertificates(earlier); // '' at first
 *     await writeFile(file, text); // without a line that an interruption cut short
 *     for await (const { line, remaining } of certifyDataset(smooth, test, { n: 100_000, resumeFrom: rows, signal })) {
 *       await appendFile(file, line);
 *     }
 *
 * Yields the rows that `resumeFrom` lacks, in order; the device works on the next inputs meanwhile. Before the first,
 * two rows of `resumeFrom` are computed again, those that differ most between runs, and an Error says so if they
 * differ: the table is of another model, data set, seed, sigma, n0, n, alpha or adapter. Errors besides: RangeError on
 * indices out of range or twice, and those of Smooth.certify. An abort throws the reason of the signal; rows yielded
 * before it stay valid.
 */
export async function* certifyDataset(
  smooth: Smooth,
  input: { x: ArrayInput; y: LabelsInput },
  options: CertifyDatasetOptions = {},
): AsyncGenerator<CertifiedRow, void, undefined> {
  expectOptions('certifyDataset', options, [
    'indices',
    'concurrency',
    'resumeFrom',
    'n0',
    'n',
    'alpha',
    'batchSize',
    'signal',
  ]);
  const held = smooth.hold();
  let next: Promise<CertificateRow[]> | undefined;
  try {
    const data = {
      x: await readArray('certifyDataset: x', input.x),
      y: await readLabels('certifyDataset: y', input.y),
    };
    const {
      indices = Uint32Array.from({ length: data.y.length }, (_, i) => i),
      resumeFrom: before = [],
      concurrency = inputsTogether(options),
      ...certify
    } = options;
    check('certifyDataset', { concurrency }, { concurrency: integer(1) });
    expectIndices(indices, data);
    expectLabels(data.y);
    expectSame(before, indices, data.y);
    const of = async (places: readonly number[]): Promise<CertificateRow[]> => {
      const start = performance.now();
      const { labels, radii } = await smooth.certify(takeRows(data.x, places), { ...certify, indices: places });
      const seconds = (performance.now() - start) / 1000 / places.length;
      return places.map((index, i) => {
        const [label, predict] = [data.y[index]!, labels[i]!];
        return { index, label, predict, radius: roundedDown(radii[i]!), correct: predict === label, seconds };
      });
    };
    for (const row of rowsToVerify(before)) {
      const [again] = await of([row.index]);
      if (again!.predict !== row.predict || again!.radius !== roundedDown(row.radius)) {
        throw new Error(
          `certifyDataset: resumeFrom has class ${row.predict} and radius ${row.radius} for input ${row.index}, ` +
            `this run gives ${again!.predict} and ${again!.radius}: ` +
            'it is of another model, data set, seed, sigma, n0, n, alpha or adapter. Go on with those of its ' +
            'run, or leave resumeFrom out and start a new table.',
        );
      }
    }
    const left = Array.from(indices).slice(before.length);
    const groups = Array.from({ length: Math.ceil(left.length / concurrency) }, (_, g) =>
      left.slice(g * concurrency, (g + 1) * concurrency),
    );
    const start = performance.now();
    let count = 0;
    next = groups[0] && of(groups[0]);
    for (const [g] of groups.entries()) {
      const current = next!;
      // The next group is queued before this one is waited for; its failure is handled when it is awaited.
      next = groups[g + 1] && of(groups[g + 1]!);
      next?.catch(() => {});
      const rows = await current;
      count += rows.length;
      const pace = (performance.now() - start) / 1000 / count;
      for (const [i, row] of rows.entries()) {
        const done = before.length + count - rows.length + i + 1;
        yield {
          row,
          line: formatCertificate(row),
          done,
          total: indices.length,
          remaining: pace * (left.length - count),
        };
      }
    }
  } finally {
    // A caller that leaves early may dispose `smooth` at once.
    await next?.catch(() => {});
    held.release();
  }
}

function inputsTogether({ n0 = 100, n = 100_000, batchSize = 1000 }: CertifyDatasetOptions): number {
  // A bad n0, n or batchSize is refused where it is used.
  return Math.max(1, Math.min(Math.ceil(batchSize / n0), Math.floor((100 * batchSize) / n))) || 1;
}

/**
 * The rows in which another run differs most likely: radii between 0 and the largest, which many inputs share.
 */
function rowsToVerify(rows: readonly CertificateRow[]): CertificateRow[] {
  const largest = Math.max(...rows.map(({ radius }) => radius));
  const between = rows.filter(({ predict, radius }) => predict !== ABSTAIN && radius < largest);
  return [...rows.filter((row) => !between.includes(row)), ...between].slice(-CHECKED);
}

function expectIndices(indices: ArrayLike<number>, { x, y }: { x: NdArray; y: ArrayLike<number> }): void {
  if (x.length !== y.length)
    throw new RangeError(`certifyDataset: ${y.length} labels for ${x.length} inputs, expected one each`);
  const seen = new Set<number>();
  for (const index of Array.from(indices)) {
    if (!(Number.isInteger(index) && index >= 0 && index < y.length))
      throw new RangeError(`certifyDataset: index ${index}, expected an integer from 0 to ${y.length - 1}`);
    if (seen.has(index)) throw new RangeError(`certifyDataset: index ${index} twice, expected each once`);
    seen.add(index);
  }
}

function expectLabels(y: ArrayLike<number>): void {
  for (let i = 0; i < y.length; i++) {
    if (!(Number.isInteger(y[i]) && y[i]! >= 0))
      throw new RangeError(
        `certifyDataset: y[${i}] is ${y[i]}, expected a class, an integer of at least 0: an abstention must ` +
          'not be counted as right',
      );
  }
}

function expectSame(done: readonly CertificateRow[], indices: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (done.length > indices.length)
    throw new RangeError(
      `certifyDataset: resumeFrom has ${done.length} rows, the run ${indices.length}: it is of another run`,
    );
  done.forEach(({ index, label }, i) => {
    if (index !== indices[i])
      throw new RangeError(
        `certifyDataset: row ${i + 1} of resumeFrom is input ${index}, expected ${indices[i]}: it is of another run`,
      );
    if (label !== labels[index])
      throw new RangeError(
        `certifyDataset: resumeFrom has label ${label} for input ${index}, the data ${labels[index]}: it is of ` +
          'another data set',
      );
  });
}
