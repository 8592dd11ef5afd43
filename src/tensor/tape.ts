import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { accumulateInto, addGradients } from './accumulate.ts';
import { inspect } from './anomaly.ts';
import type { DType } from './dtype.ts';
import { scope, unscoped, untrack } from './scope.ts';
import { sameShape } from './shape.ts';
import { clear, empty, tensor, type TapeNode, type Tensor, viewOf } from './tensor.ts';

let recording = true;
/** False while the gradient of an intermediate tensor is itself wanted, which no mask may touch. */
let masking = true;
/** The backward pass in progress: which parameter gradients it has stored so far. */
let pass: { readonly stored: Set<Tensor>; readonly accumulate: boolean } | null = null;

/** Connects `y` to its inputs. `backward` maps dL/dy to one gradient (or null) for each input. */
export function record<T extends Tensor>(
  op: string,
  y: T,
  inputs: readonly Tensor<DType>[],
  backward: (dy: Tensor) => readonly (Tensor | null)[],
  { composed = false }: { composed?: boolean } = {},
): T {
  inspect(op, y);
  if (recording && inputs.some((x) => x.tracksGrad))
    y.node = { op, inputs, backward, composed, versions: [...inputs, y].map((t) => t.version) };
  return y;
}

/** Runs `fn` without recording gradients. */
export function noGrad<T>(fn: () => T): T {
  return withRecording(false, fn);
}

/** Runs `fn` with gradients recorded, also inside `noGrad`. */
export function withGrad<T>(fn: () => T): T {
  return withRecording(true, fn);
}

function withRecording<T>(on: boolean, fn: () => T): T {
  const before = recording;
  recording = on;
  try {
    return fn();
  } finally {
    recording = before;
  }
}

/** Marks a leaf: `backward` will compute its gradient. Returns the tensor. */
export function requireGrad<T extends Tensor>(x: T): T {
  x.requiresGrad = true;
  return x;
}

/**
 * Where a backward kernel should write the gradient of `x`: straight into the gradient arena when `x` is a parameter
 * without a gradient yet in this pass, else into a fresh tensor.
 */
export function gradientFor(x: Tensor): Tensor {
  if (pass && x.home && x.requiresGrad && !pass.accumulate && !pass.stored.has(x)) {
    pass.stored.add(x);
    return x.home.grad;
  }
  return empty(x.shape, { gpu: x.gpu });
}

/** True when a backward kernel may apply the relu of `x` to the gradient that it makes for `x`. */
export function canMask(x: Tensor): boolean {
  return x.maskable && masking;
}

/** True while gradients of gradients are being recorded; fused backward kernels then take their composed form. */
export function isRecording(): boolean {
  return recording;
}

/**
 * Computes dL/dx for every leaf that asked for it and stores it in `x.grad`; L is `loss`, a scalar. Each call replaces
 * the gradients of the last one, unless `accumulate`. Intermediate gradients are freed as soon as they are used.
 */
export function backward(loss: Tensor, options: { accumulate?: boolean } = {}): void {
  expectOptions('backward', options, ['accumulate']);
  const { accumulate = false } = options;
  if (loss.size !== 1)
    throw new ShapeError(`backward: loss has shape [${loss.shape}], expected a scalar; reduce it first`);
  if (!loss.tracksGrad)
    throw new Error(
      'backward: no gradient flows into this loss; does a parameter have requiresGrad, and was it computed ' +
        'outside noGrad?',
    );
  pass = { stored: new Set(), accumulate };
  const stored = pass.stored;
  try {
    withRecording(false, () =>
      walk(loss, (leaf, dx, isShared) => {
        if (leaf.home) {
          const { grad } = leaf.home;
          leaf.grad = grad;
          if (dx === grad) return;
          if (stored.has(leaf) || accumulate) accumulateInto(grad, dx);
          else {
            grad.gpu.recorder.push({
              kind: 'copy',
              from: dx.storage,
              fromOffset: dx.byteOffset,
              to: grad.storage,
              toOffset: grad.byteOffset,
              bytes: dx.byteLength,
            });
            stored.add(leaf);
          }
          dx.dispose();
        } else if (leaf.grad && (stored.has(leaf) || accumulate)) {
          accumulateInto(leaf.grad, dx);
          dx.dispose();
        } else {
          leaf.grad?.dispose();
          leaf.grad = isShared ? copyOf(dx) : dx;
          if (isShared) dx.dispose();
          untrack(leaf.grad);
          stored.add(leaf);
        }
      }),
    );
    if (!accumulate) {
      // A parameter that the loss does not depend on has gradient zero, not the one of the step before.
      const arenas = new Set([...stored].map((leaf) => leaf.home?.siblings).filter((s) => s !== undefined));
      for (const siblings of arenas)
        for (const leaf of siblings) if (!stored.has(leaf)) leaf.grad = clear(leaf.home!.grad);
    }
  } finally {
    pass = null;
  }
}

/**
 * Gradients of a scalar with respect to `inputs`, as tensors; zeros where it does not depend on one.
 * With `createGraph` the gradients can be differentiated again; ops that are fused and cannot say so by an error.
 */
export function grad(y: Tensor, inputs: readonly Tensor[], options: { createGraph?: boolean } = {}): Tensor[] {
  expectOptions('grad', options, ['createGraph']);
  const { createGraph = false } = options;
  if (y.size !== 1) throw new ShapeError(`grad: y has shape [${y.shape}], expected a scalar; reduce it first`);
  return gradientsOf(y, inputs, one(y.gpu, y.shape), createGraph);
}

/** dL/d(inputs) of any tensor y, from dy = dL/dy: one tensor an input, zeros where y does not depend on it. */
export function pullback(
  y: Tensor,
  inputs: readonly Tensor[],
  dy: Tensor,
  options: { createGraph?: boolean } = {},
): Tensor[] {
  expectOptions('pullback', options, ['createGraph']);
  const { createGraph = false } = options;
  if (!sameShape(dy.shape, y.shape))
    throw new ShapeError(`pullback: dy has shape [${dy.shape}], expected that of y, [${y.shape}]`);
  return gradientsOf(y, inputs, createGraph ? dy : dy.detach(), createGraph);
}

function gradientsOf(y: Tensor, inputs: readonly Tensor[], seed: Tensor, createGraph: boolean): Tensor[] {
  const found = new Map<Tensor, Tensor>();
  const add = (x: Tensor, dx: Tensor): void => {
    const before = found.get(x);
    found.set(x, before ? addGradients(before, dx) : dx);
  };
  const outer = { masking, pass };
  masking &&= !inputs.some((x) => x.node);
  // Inside a backward pass (checkpoint) nothing may go straight to the gradients of parameters: it is handed back
  // instead.
  pass = null;
  try {
    withRecording(createGraph, () => walk(y, add, new Set(inputs), seed));
  } finally {
    ({ masking, pass } = outer);
  }
  return inputs.map((x) => found.get(x) ?? clear(empty(x.shape, { gpu: x.gpu })));
}

/**
 * Goes from `root` to the leaves; `onLeaf` gets each contribution to a leaf, or to a tensor in `wanted`. `isShared`
 * says that the memory of `dx` may belong to another gradient too, so that it must not be written.
 */
function walk(
  root: Tensor,
  onLeaf: (leaf: Tensor, dx: Tensor, isShared: boolean) => void,
  wanted?: ReadonlySet<Tensor>,
  seed = one(root.gpu, root.shape),
): void {
  const gradients = new Map<Tensor, Tensor>([[root, seed]]);
  for (const y of backwardOrder(root)) {
    const dy = gradients.get(y);
    if (!dy) continue;
    gradients.delete(y);
    if (wanted?.has(y)) onLeaf(y, dy, true);
    if (!y.node) {
      if (!wanted && y.requiresGrad) onLeaf(y, dy, true);
      continue;
    }
    const { op, inputs, composed, backward } = y.node;
    expectUnchanged(y, y.node);
    // Recorded temporaries are part of the graph; others go as soon as the contributions exist.
    const contributions = recording ? backward(dy) : scope(() => backward(dy));
    const users = new Map([[dy.storage, 1]]);
    for (const dx of contributions) if (dx) users.set(dx.storage, (users.get(dx.storage) ?? 0) + 1);
    const given = new Set<Tensor>([dy]);
    inputs.forEach((input, i) => {
      const x = input as Tensor;
      let dx = contributions[i];
      if (!dx) return;
      // Each holder of a gradient frees it on its own, so one that is handed out twice gets a second owner.
      if (!recording && given.has(dx)) dx = alias(dx);
      given.add(dx);
      inspect(`gradient of ${op} with respect to input ${i}`, dx);
      if (!x.tracksGrad) {
        if (!recording) dx.dispose();
        return;
      }
      if (!sameShape(dx.shape, x.shape))
        throw new ShapeError(`backward of ${op}: gradient ${i} has shape [${dx.shape}], its input [${x.shape}]`);
      if (recording && !composed && !dx.node) dx.node = onceOnly(op, dx, dy, inputs);
      if (!x.node && !wanted) {
        onLeaf(x, dx, users.get(dx.storage)! > 1);
        return;
      }
      const before = gradients.get(x);
      gradients.set(x, before ? addGradients(before, dx) : dx);
      if (before && !recording) {
        before.dispose();
        dx.dispose();
      }
    });
    if (!recording && !wanted?.has(y)) dy.dispose();
  }
}

/** A value that changed since the op ran would give a gradient of something else. */
function expectUnchanged(y: Tensor, { op, inputs, versions }: TapeNode): void {
  [...inputs, y].forEach((t, i) => {
    if (t.version === versions[i]) return;
    const what = t === y ? 'its result' : `input ${i}`;
    throw new Error(
      `backward of ${op}: ${what}, of shape [${t.shape}], was overwritten after the op had run; call ` +
        'backward before the write, or write into another tensor',
    );
  });
}

function copyOf(x: Tensor): Tensor {
  const y = empty(x.shape, { gpu: x.gpu });
  x.gpu.recorder.push({
    kind: 'copy',
    from: x.storage,
    fromOffset: x.byteOffset,
    to: y.storage,
    toOffset: 0,
    bytes: x.byteLength,
  });
  return y;
}

function alias(dx: Tensor): Tensor {
  const other = dx.detach();
  other.isMasked = dx.isMasked;
  return other;
}

function onceOnly(op: string, dx: Tensor, dy: Tensor, inputs: readonly Tensor<DType>[]): Tensor['node'] {
  return {
    op: `${op} (gradient)`,
    inputs: [dy, ...inputs],
    backward: () => {
      throw new Error(
        `${op} is a fused op whose gradient cannot be differentiated again; write this part with elementwise ` +
          'ops, matmul and reductions',
      );
    },
    composed: true,
    versions: [dy, ...inputs, dx].map((t) => t.version),
  };
}

/** Tensors from `root` down to the leaves, every tensor after all that depend on it. Iterative: graphs may be deep. */
function backwardOrder(root: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>([root]);
  const stack: { tensor: Tensor; next: number }[] = [{ tensor: root, next: 0 }];
  while (stack.length) {
    const top = stack.at(-1)!;
    const input = top.tensor.node?.inputs[top.next++] as Tensor | undefined;
    if (!input) {
      order.push(stack.pop()!.tensor);
    } else if (input.tracksGrad && !seen.has(input)) {
      seen.add(input);
      stack.push({ tensor: input, next: 0 });
    }
  }
  return order.reverse();
}

/** The tensors with requiresGrad that `y` was made of. */
export function leavesOf(y: Tensor): Tensor[] {
  return backwardOrder(y).filter((x) => x.requiresGrad && !x.node);
}

/** A view of the constant 1, made once for a device. */
function one(gpu: Gpu, shape: readonly number[]): Tensor {
  return viewOf(
    gpu.constant('one', () => unscoped(() => tensor(1, { gpu }))),
    shape,
  );
}
