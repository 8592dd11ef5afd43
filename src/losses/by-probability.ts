import { probabilityLoss, type ProbabilityLossKind, type ProbabilityLossOptions } from '../ops/probability-loss.ts';
import type { LossDefinition } from './define.ts';
import { deviceTable, type DeviceTable } from './device-table.ts';

/**
 * The definition of a loss phi(p) of the label's probability, by the one kernel of `probabilityLoss`: `constants` are
 * its c0 to c3, 0 where absent, or a table of all four that the loss rewrites.
 */
export function byProbability(
  name: string,
  kind: ProbabilityLossKind,
  constants: readonly number[] | DeviceTable,
  options: ProbabilityLossOptions = {},
): LossDefinition<{ constants: DeviceTable }> {
  return {
    name,
    fused: true,
    tables: { constants: 'on' in constants ? constants : deviceTable([0, 1, 2, 3].map((i) => constants[i] ?? 0)) },
    values: (logits, labels, { tables }) => probabilityLoss(logits, labels, kind, tables.constants, options),
  };
}
