import type { Experiment } from './experiment.ts';
import { ldamDrw } from './ldam-drw.ts';

/** All experiments, in the order of `--list`. */
export const experiments: readonly Experiment[] = [ldamDrw];
