import { copyOver } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { empty, viewOf, type Tensor } from '../tensor/tensor.ts';
import { walkLayers, type Layer, type PassOptions, type PassWeights } from './layer.ts';

/** Weights held as they were at a time; whoever asked for them frees them. */
export interface HeldWeights extends PassWeights {
  /** Takes the values that the model has now, or those of `from`, which holds the same model; captured steps follow. */
  refresh(from?: HeldWeights): void;
  dispose(): void;
}

const constants = new WeakMap<Tensor, Tensor>();

/** The parameters as constants. */
const CONSTANTS: PassWeights = {
  parameter(own) {
    let constant = constants.get(own);
    if (!constant) constants.set(own, (constant = unscoped(() => own.detach())));
    return constant;
  },
};

/**
 * A model whose parameters are constants in its passes: a gradient goes to the input alone, as attacks and explanations
 * need it. It shares the memory of the model and follows its training; `weights` of a pass still take their place.
 */
export function frozen<C extends PassOptions>(model: {
  forward(x: Tensor, context?: C): Tensor;
}): { forward(x: Tensor, context?: C): Tensor } {
  return { forward: (x, context) => model.forward(x, { weights: CONSTANTS, ...context } as C) };
}

/** Frees the constant view of a parameter, with the parameter. */
export function forgetConstant(parameter: Tensor): void {
  constants.get(parameter)?.dispose();
  constants.delete(parameter);
}

/**
 * What `run` records, with `weights` in the place of those of `layer` and of all inside it. `run` is synchronous: no
 * other call sees them.
 */
export function throughWeights<T>(layer: Layer, weights: PassWeights, run: () => T): T {
  const held = new Map<Record<string, Tensor | Tensor<'i32'>>, Record<string, Tensor | Tensor<'i32'>>>();
  try {
    for (const [, { params, buffers }] of walkLayers(layer)) {
      if (held.has(params)) continue;
      held.set(params, { ...params });
      for (const name in params) params[name] = expectOwn(weights.parameter(params[name]!), name);
      if (!buffers || !weights.buffer) continue;
      held.set(buffers, { ...buffers });
      for (const name in buffers) buffers[name] = weights.buffer(buffers[name]!) ?? buffers[name]!;
    }
    return run();
  } finally {
    for (const [record, own] of held) Object.assign(record, own);
  }
}

function expectOwn(value: Tensor | null, name: string): Tensor {
  if (!value)
    throw new Error(
      `model.forward: weights has nothing for a parameter '${name}', expected the average or snapshot of this model`,
    );
  return value;
}

/** What a snapshot is taken of. */
interface Owner {
  readonly arena: { readonly values: Tensor };
  readonly namedBuffers: ReadonlyMap<string, Tensor | Tensor<'i32'>>;
}

/**
 * Parameters and buffers of models as they are now, for calls that an await interrupts while the models may be trained.
 */
export class Snapshot implements HeldWeights {
  readonly #parts: { owner: Owner; values: Tensor; buffers: Map<string, Tensor | Tensor<'i32'>> }[];
  readonly #views = new Map<Tensor, Tensor>();

  constructor(owners: readonly Owner[]) {
    this.#parts = owners.map((owner) => ({
      owner,
      values: likeOf(owner.arena.values),
      buffers: new Map([...owner.namedBuffers].map(([name, b]) => [name, likeOf(b as Tensor)])),
    }));
    this.refresh();
  }

  refresh(from?: HeldWeights): void {
    this.#parts.forEach(({ owner, values, buffers }, i) => {
      const other =
        from instanceof Snapshot ? from.#parts[i]! : { values: owner.arena.values, buffers: owner.namedBuffers };
      copyOver(other.values, values);
      for (const [name, b] of other.buffers) copyOver(b as Tensor, buffers.get(name) as Tensor);
    });
  }

  parameter(own: Tensor): Tensor | null {
    const part = this.#parts.find(({ owner }) => owner.arena.values.storage === own.storage);
    if (!part) return null;
    let view = this.#views.get(own);
    if (!view) this.#views.set(own, (view = unscoped(() => viewOf(part.values, own.shape, own.offset))));
    return view;
  }

  buffer(own: Tensor | Tensor<'i32'>): Tensor | Tensor<'i32'> | null {
    for (const { owner, buffers } of this.#parts) {
      for (const [name, b] of owner.namedBuffers) if (b === own) return buffers.get(name)!;
    }
    return null;
  }

  dispose(): void {
    for (const view of this.#views.values()) view.dispose();
    this.#views.clear();
    for (const { values, buffers } of this.#parts.splice(0)) for (const t of [values, ...buffers.values()]) t.dispose();
  }
}

/** The weights of several models as one. */
export class JoinedWeights implements HeldWeights {
  readonly #all: readonly HeldWeights[];

  constructor(all: readonly HeldWeights[]) {
    this.#all = all;
  }

  refresh(from?: HeldWeights): void {
    this.#all.forEach((weights, i) => weights.refresh(from instanceof JoinedWeights ? from.#all[i] : undefined));
  }

  parameter(own: Tensor): Tensor | null {
    return firstOf(this.#all, (weights) => weights.parameter(own));
  }

  buffer(own: Tensor | Tensor<'i32'>): Tensor | Tensor<'i32'> | null {
    return firstOf(this.#all, (weights) => weights.buffer?.(own) ?? null);
  }

  dispose(): void {
    for (const weights of this.#all) weights.dispose();
  }
}

function firstOf<T>(all: readonly HeldWeights[], find: (weights: HeldWeights) => T | null): T | null {
  for (const weights of all) {
    const found = find(weights);
    if (found) return found;
  }
  return null;
}

function likeOf(t: Tensor): Tensor {
  return unscoped(() => empty(t.shape, { dtype: t.dtype, gpu: t.gpu }));
}
