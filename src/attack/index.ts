export { dlrLoss, type DlrOptions } from './dlr.ts';
export { fgsm, pgd, type AttackedModel, type FgsmOptions, type PgdOptions } from './pgd.ts';
