import type { Recipe } from './methods.ts';
import { tuningOf } from '../../examples/reproduce/ldam-drw.ts';

/** What the demo runs with, besides its flags. */
export interface DemoSettings {
  recipe: Recipe;
  /** Standard deviation of the input noise, in training and in certification. */
  sigma: number;
  calibShare: number;
  certify: { images: number; n0: number; n: number; alpha: number; batchSize: number };
}

const RECIPE = { batchSize: 128, momentum: 0.9, tuning: tuningOf('mnist') } as const;

/** The default: within 5 minutes on two cores with the software adapter. */
export const DEFAULT_SETTINGS: DemoSettings = {
  recipe: { ...RECIPE, widths: [256, 128], epochs: 8 },
  sigma: 0.25,
  calibShare: 0.1,
  certify: { images: 100, n0: 100, n: 1000, alpha: 0.001, batchSize: 1000 },
};

/** `--quick`: within 60 seconds there. */
export const QUICK_SETTINGS: DemoSettings = {
  recipe: { ...RECIPE, widths: [64, 64], epochs: 3 },
  sigma: 0.25,
  calibShare: 0.1,
  certify: { images: 100, n0: 100, n: 200, alpha: 0.001, batchSize: 1000 },
};
