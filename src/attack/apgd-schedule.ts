/**
 * Which form of APGD's decisions. 'paper': a step counts as a success when the loss rose above that of the point it
 * left, the step size is halved below a share of 0.75, the checkpoints are rounded up. 'code', fra31/auto-attack: the
 * first step is compared with 0, the first one after a return to the best point with the point that was given up; a
 * share of exactly 0.75 halves too; the first checkpoint cannot halve for want of a gain alone; distances between
 * checkpoints are rounded down.
 */
export type ApgdRule = 'paper' | 'code';

/**
 * The steps after which APGD looks at its step size, of `steps` in all: w_j = ceil(p_j steps) with p_0 = 0, p_1 = 0.22
 * and p_(j+1) = p_j + max(p_j - p_(j-1) - 0.03, 0.06). By the code the distances are whole numbers, rounded down, and
 * at least 1.
 */
export function apgdCheckpoints(steps: number, rule: ApgdRule = 'paper'): number[] {
  const found: number[] = [];
  // In percent, where all of these are whole numbers.
  if (rule === 'paper') {
    for (let at = 22, gap = 22; at <= 100; gap = Math.max(gap - 3, 6), at += gap)
      found.push(Math.ceil((at * steps) / 100));
    return [...new Set(found)];
  }
  const share = (percent: number): number => Math.max(1, Math.floor((percent * steps) / 100));
  for (let gap = share(22), at = gap; at <= steps; gap = Math.max(gap - share(3), share(6)), at += gap) found.push(at);
  return found;
}

/**
 * Fewer successes than this in `steps` steps since the last checkpoint halve the step size; never a whole number for
 * the code's rule.
 */
export function apgdLimit(steps: number, rule: ApgdRule = 'paper'): number {
  return rule === 'paper' ? 0.75 * steps : Math.floor(0.75 * steps) + 0.5;
}
