import { unscoped } from '../tensor/scope.ts';
import { empty, tensor, zeros, type Tensor } from '../tensor/tensor.ts';
import { blockTable, segmentsOf, type Segment } from './layout.ts';
import type { Optimizer, ParameterArena } from './optimizer.ts';

/** What every update kernel binds. */
export interface UpdateBuffers {
  hyper: Tensor;
  blocks: Tensor<'u32'>;
  g: Tensor;
  p: Tensor;
}

/** What one attached rule works with. */
export interface UpdateContext<S extends string> {
  arena: ParameterArena;
  segments: readonly Segment[];
  /** Vectors of four in the arena: the grid of an update. */
  quads: number;
  shared: UpdateBuffers;
  slots: Record<S, Tensor>;
  /** Hands over what the rule allocates beyond its slots: freed with the state, never saved. */
  owns<T extends { dispose(): void }>(made: T): T;
}

/** An update rule over a flat arena. */
export interface Rule<S extends string> {
  name: string;
  lr: number;
  momentum?: number | undefined;
  decays?: ((name: string) => boolean) | undefined;
  slots: readonly S[];
  /** Value that slots start with. Default: 0. */
  fill?: number;
  /**
   * The numbers that the kernel reads in `step`, from 1. They lie in device memory, so a captured step follows them.
   */
  hyper(step: number, lr: number, momentum: number): readonly number[];
  /** Allocates what the rule needs; returns the function that records the update. */
  bind(context: UpdateContext<S>): () => void;
}

/** The optimiser of a rule: slots, hyper-parameters in device memory, and their lifetimes. */
export function arenaOptimizer<S extends string>(rule: Rule<S>): Optimizer {
  const { name, lr, momentum, decays, fill = 0 } = rule;
  return {
    name,
    lr,
    ...(momentum !== undefined && { momentum }),
    attach: (arena) =>
      unscoped(() => {
        const segments = segmentsOf(arena);
        const { gpu, shape, size } = arena.values;
        const owned: { dispose(): void }[] = [];
        const owns = <T extends { dispose(): void }>(made: T): T => {
          owned.push(made);
          return made;
        };
        const slot = (): Tensor =>
          fill === 0 ? zeros(shape, { gpu }) : tensor(new Float32Array(size).fill(fill), { gpu });
        const slots = Object.fromEntries(rule.slots.map((s) => [s, owns(slot())])) as Record<S, Tensor>;
        const hyper = owns(empty([rule.hyper(1, lr, momentum ?? 0).length], { gpu }));
        const shared = { hyper, blocks: owns(blockTable(arena, segments, decays)), g: arena.grads, p: arena.values };
        const progress = { step: 0 };
        return {
          name,
          segments,
          slots,
          progress,
          prepare: (step, rate, now = momentum ?? 0) => {
            progress.step = step;
            hyper.write(rule.hyper(step, rate, now));
          },
          update: rule.bind({ arena, segments, quads: size / 4, shared, slots, owns }),
          dispose: () => owned.forEach((t) => t.dispose()),
        };
      }),
  };
}
