import kernel from '../../shaders/where.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes } from '../tensor/shape.ts';
import { noGrad, record } from '../tensor/tape.ts';
import { empty, expectDType, tensor, Tensor } from '../tensor/tensor.ts';
import { expand, type Operand } from './binary.ts';
import { sumTo } from './reduce.ts';

/** a where `condition` is not zero, else b; all broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [p, q] = [a, b].map((v) => (v instanceof Tensor ? v : tensor(v, { gpu: condition.gpu }))) as [Tensor, Tensor];
  for (const [t, name] of [[condition, 'condition'], [p, 'a'], [q, 'b']] as const) expectDType(t, 'f32', `where: ${name}`);
  const inner = broadcastShapes(p.shape, q.shape);
  const shape = inner && broadcastShapes(condition.shape, inner);
  if (!shape) throw new ShapeError(`where: shapes [${condition.shape}], [${p.shape}] and [${q.shape}] do not broadcast`);
  const [mask, x, z] = noGrad(() => [condition, p, q].map((t) => expand(t, shape))) as [Tensor, Tensor, Tensor];
  const y = empty(shape, { gpu: condition.gpu });
  kernel.forward({ size: y.size }, { condition: mask, a: x, b: z, y }, [y.size]);
  x.dispose();
  z.dispose();
  return record(
    'where',
    y,
    [p, q],
    (dy) => [p.tracksGrad ? sumTo(where(mask, dy, 0), p.shape) : null, q.tracksGrad ? sumTo(where(mask, 0, dy), q.shape) : null],
    { composed: true },
  );
}
