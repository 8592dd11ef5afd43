import { accumulator, addTerm, build, joint, ravel, unravel, type Dense } from './dense.ts';

/** a where condition is not 0, else b; broadcast. */
export function where(condition: Dense, a: Dense, b: Dense): Dense {
  const shape = joint(condition.shape, joint(a.shape, b.shape));
  return build(shape, (i) => {
    const at = unravel(i, shape);
    return condition.data[ravel(at, condition.shape)] ? a.data[ravel(at, a.shape)]! : b.data[ravel(at, b.shape)]!;
  });
}

/** Gradients with respect to a and b. */
export function whereGradient(dy: Dense, condition: Dense, a: Dense, b: Dense): [Dense, Dense] {
  const [da, db] = [accumulator(a.shape), accumulator(b.shape)];
  dy.data.forEach((d, i) => {
    const at = unravel(i, dy.shape);
    if (condition.data[ravel(at, condition.shape)]) addTerm(da, ravel(at, a.shape), d);
    else addTerm(db, ravel(at, b.shape), d);
  });
  return [da, db];
}
