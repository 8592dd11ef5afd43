import { absgdLt } from './absgd-lt.ts';
import { alphaFlips } from './alpha-flips.ts';
import { alphaLandscape } from './alpha-landscape.ts';
import { alphaLongServedio } from './alpha-long-servedio.ts';
import { averageKExperiment } from './average-k.ts';
import { calsExperiment } from './cals.ts';
import { cdbLt } from './cdb-lt.ts';
import { certifyCost } from './certify-cost.ts';
import { certifyLinear } from './certify-linear.ts';
import type { Experiment } from './lib/experiment.ts';
import { groupVsExperiment } from './group-vs.ts';
import { ladcFeatures } from './ladc-features.ts';
import { ldamDrw } from './ldam-drw.ts';
import { linfFashion } from './linf-fashion.ts';
import { logitclipNoise } from './logitclip-noise.ts';
import { othersLt } from './others-lt.ts';
import { smoothMixFashion, smoothMixMnist } from './smoothmix.ts';
import { susceptibilityExperiment } from './susceptibility.ts';
import { unimixBayiasLt } from './unimix-bayias-lt.ts';
import { vsGmm } from './vs-gmm.ts';
import { vsLt } from './vs-lt.ts';

/** All experiments, in the order of `--list`. */
export const experiments: readonly Experiment[] = [
  ldamDrw,
  ladcFeatures,
  linfFashion,
  calsExperiment,
  alphaFlips,
  alphaLandscape,
  alphaLongServedio,
  averageKExperiment,
  smoothMixFashion,
  smoothMixMnist,
  susceptibilityExperiment,
  vsLt,
  unimixBayiasLt,
  absgdLt,
  cdbLt,
  othersLt,
  vsGmm,
  groupVsExperiment,
  certifyLinear,
  certifyCost,
  logitclipNoise,
];
