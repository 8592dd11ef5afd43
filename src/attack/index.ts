export { fgsm, pgd, type AttackedModel, type FgsmOptions, type PgdOptions } from './pgd.ts';
