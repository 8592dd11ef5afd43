export { apgd, type ApgdOptions } from './apgd.ts';
export { apgdCheckpoints, type ApgdRule } from './apgd-schedule.ts';
export type { Ball } from './ball.ts';
export { dlrLoss, type DlrOptions } from './dlr.ts';
export {
  evaluateRobustness,
  type AttackSummary,
  type ImageOutcome,
  type RobustnessOptions,
  type RobustnessReport,
} from './evaluate-robustness.ts';
export type { AttackedModel, EvaluationContext } from './model.ts';
export type { AttackContext, AttackName, Budget, NamedAttack } from './named-attacks.ts';
export { fgsm, pgd, type FgsmOptions, type PgdOptions } from './pgd.ts';
export { squareAttack, squareShare, type SquareOptions } from './square.ts';
