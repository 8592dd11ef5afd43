export { Choices, type ChoiceReport } from './choices.ts';
export { Trials } from './trials.ts';
export { type TuningFile } from './tuning-file.ts';
export { tuningFor } from './tuning-for.ts';
export { SMALL_TILE, type Choice, type ProductTraits, type Tile, type Tuning, type WorkgroupTile } from './tuning.ts';
