import { certifyDataset, Smooth, type CertificateRow } from 'evenkeel/certify';
import type { Dataset } from 'evenkeel/data';
import { averageCertifiedRadius, certifiedAccuracy } from 'evenkeel/metrics';
import type { Sequential } from 'evenkeel/nn';
import type { Context } from './experiment.ts';

/**
 * Average certified radius, and the shares certified right at radius 0, sigma, 2 sigma and 3 sigma, of all images of
 * `test` under randomised smoothing; each has noise of its own, the same for all models of a seed.
 */
export async function certifyAll(
  model: Sequential,
  test: Dataset,
  { sigma, seed, ...options }: { sigma: number; seed: number; n0: number; n: number; alpha: number },
  { emit, signal }: Context,
): Promise<{ acr: number; accuracyAt: number[]; certifySeconds: number }> {
  using smooth = new Smooth(model, { numClasses: test.numClasses, sigma, seed });
  const start = performance.now();
  const rows: CertificateRow[] = [];
  emit({ type: 'phase', label: 'certify', total: test.y.length });
  for await (const { row, done } of certifyDataset(smooth, test, { ...options, signal })) {
    rows.push(row);
    emit({ type: 'step', done });
  }
  const [radii, correct] = [rows.map((row) => row.radius), rows.map((row) => row.correct)];
  return {
    acr: averageCertifiedRadius(radii, correct),
    accuracyAt: certifiedAccuracy(radii, correct, [0, sigma, 2 * sigma, 3 * sigma]),
    certifySeconds: (performance.now() - start) / 1000,
  };
}
