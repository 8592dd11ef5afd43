import { expectOptions } from '../check/options.ts';
import { ShapeError } from '../gpu/errors.ts';
import type { Gpu } from '../gpu/device.ts';
import { accumulateInto, sumOf } from './accumulate.ts';
import { ambient, within } from './ambient.ts';
import { copyOver } from './copy.ts';
import type { DType } from './dtype.ts';
import { freeingOnError, scope, unscoped, untrack } from './scope.ts';
import { sameShape } from './shape.ts';
import { clear, empty, FREED, tensor, type Tensor, viewOf } from './tensor.ts';

/** The gradient of one input, or a function of it, which is called only where that input tracks gradients. */
export type InputGradient = Tensor | null | (() => Tensor | null);

/** dL/d(inputs), one each, from dy = dL/dy, by differentiable ops alone, so that it is differentiable itself. */
type Gradient = (dy: Tensor) => readonly InputGradient[];

/** The same by kernels, for a pass that is not differentiated again; `into` says where to write. */
type FusedGradient = (dy: Tensor, into: Into) => readonly InputGradient[];

/**
 * How an op y = f(inputs) is differentiated. The tape chooses between the two forms; one of them alone serves every
 * pass. An op that has `fused` alone cannot be differentiated again, and the tape throws when that is asked.
 */
export type Rule = ({ gradient: Gradient; fused?: FusedGradient } | { gradient?: undefined; fused: FusedGradient }) & {
  /** y is the output of a relu: dy may come multiplied by its mask already, as `into.isMasked` says. */
  isRelu?: boolean;
  /** y is input 0 in another shape: it is the output of a relu where input 0 is one. */
  isView?: boolean;
};

/** What a fused gradient is given about its pass. */
export interface Into {
  /** True when dy is multiplied by the relu mask of y already. */
  readonly isMasked: boolean;
  /** True when input i tracks gradients. */
  wants(i: number): boolean;
  /**
   * A tensor for the gradient of input i, to be written as a whole: the place of a parameter in the gradient arena when
   * this pass has written nothing there, else a fresh one. Ask for what is written only, and once.
   */
  gradient(i: number): Tensor;
  /** True when input i is the output of a relu whose mask the kernel is to apply to the gradient that it writes. */
  masks(i: number): boolean;
}

/** How a tensor was computed. */
interface Node {
  readonly op: string;
  readonly inputs: readonly Tensor<DType>[];
  readonly rule: Rule;
  readonly isRelu: boolean;
  /** Versions of the inputs and of the result when the op ran. */
  readonly versions: readonly number[];
  readonly version: number;
}

/** How `x` was computed; null for a leaf, and for what was freed. */
function nodeOf(x: Tensor<DType>): Node | null {
  return x.node === FREED ? null : (x.node as Node | null);
}

/** The error where a gradient would flow into a result that was freed, and be lost. */
function freedError(what: string, x: Tensor): Error {
  return new Error(
    `${what}: a result of shape [${x.shape}] that the gradient flows through was freed before; call ${what} inside ` +
      'the scope that computes it',
  );
}

/**
 * Puts an op on the tape: connects its result `y` to its inputs, where one of them tracks gradients. Returns y. Without
 * inputs and a rule y is a constant, which is only looked at for anomalies.
 */
export function record<T extends Tensor<DType>>(
  op: string,
  y: T,
  inputs: readonly Tensor<DType>[] = [],
  rule?: Rule,
): T {
  ambient.watch?.inspect(op, y);
  if (rule && ambient.recording && inputs.some(tracksGrad)) connect(op, y, inputs, rule);
  return y;
}

function connect(op: string, y: Tensor<DType>, inputs: readonly Tensor<DType>[], rule: Rule): void {
  const isRelu = rule.isRelu ?? (rule.isView === true && nodeOf(inputs[0]!)?.isRelu === true);
  y.node = { op, inputs, rule, isRelu, versions: inputs.map((x) => x.version), version: y.version } satisfies Node;
}

/**
 * True when an op of these inputs goes on the tape, so that its gradient may be asked: one of them tracks gradients,
 * outside {@link noGrad}. For ops that keep something in the forward pass for the gradient.
 */
export function isRecorded(...inputs: readonly Tensor<DType>[]): boolean {
  return ambient.recording && inputs.some(tracksGrad);
}

function tracksGrad(x: Tensor<DType>): boolean {
  return x.tracksGrad;
}

/** Runs `fn` without recording gradients. */
export function noGrad<T>(fn: () => T): T {
  return within('recording', false, fn);
}

/** Runs `fn` with gradients recorded, also inside `noGrad`. */
export function withGrad<T>(fn: () => T): T {
  return within('recording', true, fn);
}

/** Marks a leaf: `backward` will compute its gradient. Returns the tensor. */
export function requireGrad<T extends Tensor>(x: T): T {
  x.requiresGrad = true;
  return x;
}

/**
 * Computes dL/dx for every leaf that asked for it and stores it in `x.grad`; L is `loss`, a scalar. Each call replaces
 * the gradients of the last one, unless `accumulate`. Intermediate gradients are freed as soon as they are used. Throws
 * an Error where a result that the gradient flows through was freed, as by a scope that has ended.
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
  const stored = new Set<Tensor>();
  const onLeaf = (leaf: Tensor, dx: Tensor, isShared: boolean): void => {
    if (leaf.home) {
      const { grad } = leaf.home;
      leaf.grad = grad;
      if (dx === grad) return;
      if (stored.has(leaf) || accumulate) accumulateInto(grad, dx);
      else copyOver(dx, grad);
      dx.dispose();
    } else if (leaf.grad && (stored.has(leaf) || accumulate)) {
      accumulateInto(leaf.grad, dx);
      dx.dispose();
    } else {
      leaf.grad?.dispose();
      leaf.grad = isShared ? copyOf(dx) : dx;
      if (isShared) dx.dispose();
      untrack(leaf.grad);
    }
    stored.add(leaf);
  };
  const onFreed = (x: Tensor): never => {
    throw freedError('backward', x);
  };
  const arena = accumulate ? null : stored;
  const pass: Pass = { wanted: null, masks: true, arena, onLeaf, onFreed };
  freeingOnError(() => noGrad(() => walk(loss, one(loss.gpu, loss.shape), pass)));
  if (accumulate) return;
  // A parameter that the loss does not depend on has gradient zero, not the one of the step before.
  const arenas = new Set([...stored].map((leaf) => leaf.home?.siblings).filter((s) => s !== undefined));
  for (const siblings of arenas) for (const leaf of siblings) if (!stored.has(leaf)) leaf.grad = clear(leaf.home!.grad);
}

/**
 * Gradients of a scalar with respect to `inputs`, as tensors; zeros where it does not depend on one.
 * With `createGraph` the gradients can be differentiated again; ops that are fused and cannot say so by an error.
 */
export function gradients(y: Tensor, inputs: readonly Tensor[], options: { createGraph?: boolean } = {}): Tensor[] {
  expectOptions('gradients', options, ['createGraph']);
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
  const onLeaf = (x: Tensor, dx: Tensor): void => {
    const before = found.get(x);
    found.set(x, before ? addGradients(before, dx) : dx);
  };
  // The gradient of an output of a relu is wanted without the mask. Nothing goes straight to the gradients of
  // parameters, also inside a backward pass (checkpoint): all is handed back.
  const masks = !createGraph && !inputs.some((x) => x.node);
  let lost: Tensor | null = null;
  const onFreed = (x: Tensor): void => void (lost ??= x);
  const pass: Pass = { wanted: new Set(inputs), masks, arena: null, onLeaf, onFreed };
  freeingOnError(() => {
    within('recording', createGraph, () => walk(y, seed, pass));
    if (lost && inputs.some((x) => !found.has(x))) throw freedError('grad', lost);
  });
  return inputs.map((x) => found.get(x) ?? clear(empty(x.shape, { gpu: x.gpu })));
}

/** One pass from a result to the leaves. */
interface Pass {
  /** The tensors whose gradients are asked for; null: all leaves that require one. */
  readonly wanted: ReadonlySet<Tensor> | null;
  /** Whether kernels may apply the masks of relus on the way. */
  readonly masks: boolean;
  /** The parameters whose place in the gradient arena is written; null where kernels must not write there. */
  readonly arena: Set<Tensor> | null;
  /**
   * Gets each contribution to a leaf, or to a tensor in `wanted`. `isShared` says that the memory of `dx` may belong to
   * another gradient too, so that it must not be written.
   */
  onLeaf(leaf: Tensor, dx: Tensor, isShared: boolean): void;
  /** Called where the gradient reaches a result that was freed, and ends there. */
  onFreed(x: Tensor): void;
}

/** The {@link Into} of one op in one pass; it notes which masks were applied. */
class Destination implements Into {
  readonly isMasked: boolean;
  readonly masked: number[] = [];
  readonly #inputs: readonly Tensor<DType>[];
  readonly #pass: Pass;

  constructor({ inputs }: Node, isMasked: boolean, pass: Pass) {
    this.#inputs = inputs;
    this.isMasked = isMasked;
    this.#pass = pass;
  }

  wants(i: number): boolean {
    return this.#inputs[i]!.tracksGrad;
  }

  gradient(i: number): Tensor {
    const x = this.#inputs[i] as Tensor;
    const { arena } = this.#pass;
    if (!arena || !x.home || !x.requiresGrad || arena.has(x)) return empty(x.shape, { gpu: x.gpu });
    arena.add(x);
    return x.home.grad;
  }

  masks(i: number): boolean {
    const isAsked = this.#pass.masks && nodeOf(this.#inputs[i]!)?.isRelu === true;
    if (isAsked) this.masked.push(i);
    return isAsked;
  }
}

/** Goes from `root`, whose gradient is `seed`, to the leaves. */
function walk(root: Tensor, seed: Tensor, pass: Pass): void {
  const { wanted, onLeaf, onFreed } = pass;
  const { recording } = ambient;
  const gradients = new Map<Tensor, Tensor>([[root, seed]]);
  /** Gradients that are multiplied by the relu mask of their tensor. */
  const masked = new Set<Tensor>();
  for (const y of backwardOrder(root)) {
    const dy = gradients.get(y);
    if (!dy) continue;
    gradients.delete(y);
    if (wanted?.has(y)) onLeaf(y, dy, true);
    const node = nodeOf(y);
    if (y.node === FREED) onFreed(y);
    if (!node) {
      if (!wanted && y.requiresGrad) onLeaf(y, dy, true);
      continue;
    }
    const { op, inputs, rule } = node;
    expectUnchanged(y, node);
    const into = new Destination(node, masked.has(dy), pass);
    // Recorded temporaries are part of the graph; others go as soon as the contributions exist.
    const contributions = recording ? recordedBy(node, dy, into) : scope(() => gradientsBy(node, dy, into));
    if (rule.isView && into.isMasked) into.masked.push(0);
    const users = new Map([[dy.storage, 1]]);
    for (const dx of contributions) if (dx) users.set(dx.storage, (users.get(dx.storage) ?? 0) + 1);
    const given = new Set<Tensor>([dy]);
    inputs.forEach((input, i) => {
      const x = input as Tensor;
      let dx = contributions[i];
      if (!dx) return;
      // Each holder of a gradient frees it on its own, so one that is handed out twice gets a second owner.
      if (!recording && given.has(dx)) dx = dx.detach();
      given.add(dx);
      ambient.watch?.inspect(`gradient of ${op} with respect to input ${i}`, dx);
      if (!x.tracksGrad) {
        if (!recording) dx.dispose();
        return;
      }
      if (!sameShape(dx.shape, x.shape))
        throw new ShapeError(`backward of ${op}: gradient ${i} has shape [${dx.shape}], its input [${x.shape}]`);
      if (!x.node && !wanted) {
        onLeaf(x, dx, users.get(dx.storage)! > 1);
        return;
      }
      const before = gradients.get(x);
      const total = before ? addGradients(before, dx) : dx;
      if (into.masked.includes(i) && (!before || masked.has(before))) masked.add(total);
      gradients.set(x, total);
      if (before && !recording) {
        before.dispose();
        dx.dispose();
      }
    });
    if (!recording && !wanted?.has(y)) dy.dispose();
  }
}

/** dL/d(inputs) for a pass that is not differentiated again. */
function gradientsBy({ rule, inputs }: Node, dy: Tensor, into: Into): (Tensor | null)[] {
  return evaluated(rule.fused ? rule.fused(dy, into) : rule.gradient!(dy), inputs);
}

/** dL/d(inputs) on the tape; those of a rule that has `fused` alone throw when they are differentiated. */
function recordedBy({ op, rule, inputs }: Node, dy: Tensor, into: Into): (Tensor | null)[] {
  if (rule.gradient) return evaluated(rule.gradient(dy), inputs);
  const { fused } = rule;
  const once: Rule = {
    gradient: () => {
      throw new Error(
        `${op} is a fused op whose gradient cannot be differentiated again; write this part with elementwise ` +
          'ops, matmul and reductions',
      );
    },
  };
  const found = noGrad(() => evaluated(fused(dy, into), inputs));
  for (const dx of found) if (dx) connect(`${op} (gradient)`, dx, [dy, ...inputs], once);
  return found;
}

/** The gradients, with those that are functions called where the input tracks gradients. */
function evaluated(found: readonly InputGradient[], inputs: readonly Tensor<DType>[]): (Tensor | null)[] {
  return found.map((g, i) => (typeof g !== 'function' ? g : inputs[i]!.tracksGrad ? g() : null));
}

/** a + b of two gradients of one shape; differentiable, so that gradients of gradients add up too. */
function addGradients(a: Tensor, b: Tensor): Tensor {
  const y = sumOf(a, b);
  if (isRecorded(a, b)) connect('add', y, [a, b], { gradient: (dy) => [dy, dy] });
  return y;
}

/** A value that changed since the op ran would give a gradient of something else. */
function expectUnchanged(y: Tensor, { op, inputs, versions, version }: Node): void {
  const i = inputs.findIndex((x, k) => x.version !== versions[k]);
  if (i < 0 && y.version === version) return;
  const [what, { shape }] = i < 0 ? ['its result', y] : [`input ${i}`, inputs[i]!];
  throw new Error(
    `backward of ${op}: ${what}, of shape [${shape}], was overwritten after the op had run; call ` +
      'backward before the write, or write into another tensor',
  );
}

function copyOf(x: Tensor): Tensor {
  const y = empty(x.shape, { gpu: x.gpu });
  copyOver(x, y);
  return y;
}

/** Tensors from `root` down to the leaves, every tensor after all that depend on it. Iterative: graphs may be deep. */
function backwardOrder(root: Tensor): Tensor[] {
  const order: Tensor[] = [];
  const seen = new Set<Tensor>([root]);
  const stack: { tensor: Tensor; next: number }[] = [{ tensor: root, next: 0 }];
  while (stack.length) {
    const top = stack.at(-1)!;
    const input = nodeOf(top.tensor)?.inputs[top.next++] as Tensor | undefined;
    if (!input) {
      order.push(stack.pop()!.tensor);
    } else if (input.tracksGrad && !seen.has(input)) {
      seen.add(input);
      stack.push({ tensor: input, next: 0 });
    }
  }
  return order.reverse();
}

/** The tensors with requiresGrad that `y` was computed from. */
export function leavesOf(y: Tensor): Tensor[] {
  return backwardOrder(y).filter((x) => x.requiresGrad && !x.node);
}

/** A view of the constant 1, one for each device. */
function one(gpu: Gpu, shape: readonly number[]): Tensor {
  return viewOf(
    gpu.constant('one', () => unscoped(() => tensor(1, { gpu }))),
    shape,
  );
}
