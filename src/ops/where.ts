import kernel from '../../shaders/where.wgsl';
import { ShapeError } from '../gpu/errors.ts';
import { broadcastShapes } from '../tensor/shape.ts';
import { record } from '../tensor/tape.ts';
import { empty, tensor, Tensor } from '../tensor/tensor.ts';
import { expand, mul, sub, type Operand } from './binary.ts';
import { sumTo } from './reduce.ts';

/** a where `condition` is not zero, else b; all broadcast. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  const [p, q] = [a, b].map((v) => (v instanceof Tensor ? v : tensor(v, { gpu: condition.gpu }))) as [Tensor, Tensor];
  const inner = broadcastShapes(p.shape, q.shape);
  const shape = inner && broadcastShapes(condition.shape, inner);
  if (!shape) throw new ShapeError(`where: shapes [${condition.shape}], [${p.shape}] and [${q.shape}] do not broadcast`);
  const full = [condition, p, q].map((t) => expand(t.detach(), shape));
  const y = empty(shape, { gpu: condition.gpu });
  kernel.forward({ size: y.size }, { condition: full[0]!, a: full[1]!, b: full[2]!, y }, [y.size]);
  const mask = full[0]!;
  return record('where', y, [p, q], (dy) => {
    const zero = mul(dy, 0);
    const da = p.tracksGrad || q.tracksGrad ? where(mask, dy, zero) : null;
    return [da && sumTo(da, p.shape), da && sumTo(sub(dy, da), q.shape)];
  }, { composed: true });
}
