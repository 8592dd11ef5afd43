import type { Context, Images } from '../../examples/reproduce/lib/experiment.ts';
import { loadImages } from '../../src/cli/images.ts';
import type { DatasetBytes } from '../../src/cli/job.ts';
import { glyphs } from '../support/glyphs.ts';

/** Glyphs as the files of a data set. */
export function glyphFiles(train: number, test: number): DatasetBytes {
  const [a, b] = [glyphs(train, 1), glyphs(test, 2)];
  return { name: 'glyphs', trainImages: a.images, trainLabels: a.labels, testImages: b.images, testLabels: b.labels };
}

/** What a job runs with: data sets, and the lines that it says. */
export function contextOf(datasets: readonly Images[], signal = new AbortController().signal) {
  const lines: string[] = [];
  const context: Context = { datasets, signal, emit: (event) => event.type === 'line' && lines.push(event.text) };
  return { ...context, lines };
}

/** The same with glyphs. */
export async function glyphContext(train: number, test: number) {
  return contextOf([await loadImages(glyphFiles(train, test))]);
}

/** That of a job without data which is told to stop. */
export const stopped = contextOf([], AbortSignal.abort(new Error('stop')));
