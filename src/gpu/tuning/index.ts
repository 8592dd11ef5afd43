export { tuningFor } from './tuning-for.ts';
export { SMALL_TILE, type Choice, type ProductTraits, type Tile, type Tuning, type WorkgroupTile } from './tuning.ts';
