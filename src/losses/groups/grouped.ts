import { check, integer, listOf } from '../../check/check.ts';
import { indexSelect } from '../../ops/gather.ts';
import { deviceTable } from '../device-table.ts';
import type { GroupLoss } from './group-vs.ts';
import type { Objective } from '../objective.ts';

/**
 * A loss that knows groups, such as groupVs() or groupDro(), for `fit({ objective })`. `groups` holds the group of each
 * row of the training set, as many as the dataset has rows. A reduction other than a scalar one becomes 'sum'. Class
 * weights of schedules reach the loss. `dispose` frees the loss too. Throws RangeError on a group that the loss has no
 * count of.
 */
export function grouped(loss: GroupLoss, groups: ArrayLike<number>): Objective {
  check('grouped', { groups }, { groups: listOf(integer(0, loss.numGroups - 1)) });
  const table = deviceTable(groups, { dtype: 'i32' });
  const objective: Objective = ({ x, y, index, forward }) =>
    loss(forward(x), y, {
      groups: indexSelect(table.on(x.gpu), index),
      reduction: loss.reduction === 'none' ? 'sum' : loss.reduction,
    });
  return Object.assign(objective, {
    rows: groups.length,
    setClassWeight: (weight: ArrayLike<number> | null) => loss.setClassWeight(weight),
    dispose() {
      table.dispose();
      loss.dispose();
    },
  });
}
