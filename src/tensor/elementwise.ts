import { module } from '../../shaders/elementwise.wgsl';
import { launchMap, type ElementwiseOp, type Operand, type Result } from '../gpu/chain.ts';
import type { Bindable } from '../gpu/kernel.ts';

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
  launchMap(LIBRARY, { name: op, body, operands, results: { '': result } }, size);
}

/** Records an op of several results for `size` elements: its body sets them by their names. One dispatch. */
export function elementwiseUpdate(op: ElementwiseOp, size: number): void {
  launchMap(LIBRARY, op, size);
}

/** The element of each place of an f32 tensor, as an operand or a result. */
export const elementsOf = (t: Bindable) => ({ type: 'f32', from: t, to: t }) as const;

/** The first element of an f32 tensor, for all places. */
export const firstOf = (t: Bindable): Operand => ({ type: 'f32', from: t, at: '0u' });

/** A number, rounded to f32, for all places. */
export const numberOf = (v: number): Operand => ({
  type: 'f32',
  from: new Uint32Array(Float32Array.of(v).buffer)[0]!,
});
