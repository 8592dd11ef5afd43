import { module } from '../../shaders/elementwise.wgsl';
import { launchMap, type Operand, type Result } from '../gpu/chain.ts';

const LIBRARY = { name: module.name, functions: module.code.slice(0, module.code.indexOf('struct Params')) };

/**
 * Records result = body(operands) for `size` elements: WGSL of the operands' names and of the functions in
 * shaders/elementwise.wgsl. `op` is for errors and profiles.
 */
export function elementwise(
  op: string,
  body: string,
  operands: Readonly<Record<string, Operand>>,
  result: Result,
  size: number,
): void {
  launchMap(LIBRARY, op, body, operands, result, size);
}
