import { probabilityLoss, type ProbabilityLossKind, type ProbabilityLossOptions } from '../ops/probability-loss.ts';
import type { LossDefinition } from './define.ts';
import { deviceTable, type DeviceTable } from './device-table.ts';

/**
 * The definition of a loss phi(p) of the label's probability, by the one kernel of `probabilityLoss`: `constants` are
 * its c0 to c3, 0 where absent, or a table of all four that the loss rewrites. Throws RangeError on eps or floor
 * outside [0, 1).
 */
export function byProbability(
  name: string,
  kind: ProbabilityLossKind,
  constants: readonly number[] | DeviceTable,
  options: ProbabilityLossOptions = {},
): LossDefinition<{ constants: DeviceTable }> {
  for (const option of ['eps', 'floor'] as const) {
    const value = options[option] ?? 0;
    if (!(value >= 0 && value < 1)) throw new RangeError(`${name}: ${option} is ${value}, expected 0 <= ${option} < 1`);
  }
  return {
    name,
    fused: true,
    tables: { constants: 'on' in constants ? constants : deviceTable([0, 1, 2, 3].map((i) => constants[i] ?? 0)) },
    values: (logits, labels, { tables }) => probabilityLoss(logits, labels, kind, tables.constants, options),
  };
}
