import type { Moment } from '../check/moment.ts';
import { asLoss } from './define.ts';
import type { Loss, LossFunction } from './loss.ts';
import type { Objective } from './objective.ts';

/**
 * A loss whose settings the host moves before each step, as an objective for `fit`: `set` is called with the moment and
 * uses the loss's own setters, such as `({ epoch }) => loss.setTau(epoch < 10 ? 2 : 1)`; a captured step follows. Class
 * weights of schedules reach the loss. The creator of the loss frees it.
 */
export function scheduledLoss(loss: Loss | LossFunction, set: (at: Moment) => void): Objective {
  const base = asLoss(loss, 'scheduledLoss');
  const objective: Objective = ({ x, y, forward }) => base(forward(x), y);
  return Object.assign(objective, {
    prepare: set,
    setClassWeight: (weight: ArrayLike<number> | null) => base.setClassWeight(weight),
    // A function that was lifted has a loss of its own.
    dispose: () => base !== loss && base.dispose(),
  });
}
