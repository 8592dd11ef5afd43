import { symbolDispose } from '../gpu/dispose.ts';
import { unscoped } from '../tensor/scope.ts';
import { clear, tensor, zeros, type Tensor } from '../tensor/tensor.ts';
import { any, atLeast, checkOptions, checkValue, required } from '../check/check.ts';
import { blockWords, groupsOf, MOST_ROWS, segmentsOf, trainedIn } from './layout.ts';
import { arenaOf, type Optimizer, type ParameterArena, type Segment, type SharedOptions } from './optimizer.ts';

/** What every update kernel binds. */
export interface UpdateBuffers {
  hyper: Tensor;
  blocks: Tensor<'u32'>;
  g: Tensor;
  p: Tensor;
}

/** What one bound rule works with. */
export interface UpdateContext<S extends string> {
  arena: ParameterArena;
  segments: readonly Segment[];
  /** Vectors of four in the arena: the grid of an update. */
  quads: number;
  slots: Record<S, Tensor>;
  /** Hands over what the rule allocates beyond its slots: freed with the state, never saved. */
  owns<T extends { dispose(): void }>(made: T): T;
}

/** The settings of one group in one step. */
export interface StepSettings {
  lr: number;
  momentum: number;
  weightDecay: number;
}

/** An update rule over a flat arena. */
export interface Rule<S extends string> extends Pick<SharedOptions, 'decays' | 'groups'> {
  name: string;
  lr: number;
  momentum?: number | undefined;
  weightDecay: number;
  slots: readonly S[];
  /** Value that slots start with. Default: 0. */
  fill?: number;
  /**
   * The numbers, at most 8, that the kernel reads under these settings in `step`, from 1, of the parameter. They lie in
   * device memory.
   */
  hyper(step: number, settings: StepSettings): readonly number[];
  /** Allocates what the rule needs; returns the function that records the update. */
  bind(context: UpdateContext<S>): (shared: UpdateBuffers) => void;
}

/** Numbers in a row of `hyper`; lib/optimizer.wgsl agrees. */
const ROW = 8;

/** The optimiser of a rule: slots, groups, hyper-parameters in device memory, and their lifetimes. */
export function arenaOptimizer<S extends string>(rule: Rule<S>): Optimizer {
  const { name, lr: base, momentum: baseMomentum, weightDecay, decays, groups = [], fill = 0 } = rule;
  expectGroups(rule);
  return {
    name,
    lr: base,
    ...(baseMomentum !== undefined && { momentum: baseMomentum }),
    for: (model) => {
      const arena = arenaOf(`${name}.for`, model);
      const segments = segmentsOf(arena);
      const groupNumbers = groupsOf(name, arena, groups);
      return unscoped(() => {
        const { gpu, shape, size } = arena.values;
        const owned: { dispose(): void }[] = [];
        const owns = <T extends { dispose(): void }>(made: T): T => {
          owned.push(made);
          return made;
        };
        const slot = (): Tensor =>
          fill === 0 ? zeros(shape, { gpu }) : tensor(new Float32Array(size).fill(fill), { gpu });
        const slots = Object.fromEntries(rule.slots.map((s) => [s, owns(slot())])) as Record<S, Tensor>;
        const update = rule.bind({ arena, segments, quads: size / 4, slots, owns });
        const progress: { step: number; missed: readonly number[] } = { step: 0, missed: segments.map(() => 0) };
        let [lr, momentum] = [base, baseMomentum];
        let trained = trainedIn(arena);
        let { missed } = progress;
        /** Parameters of one group that took the same number of steps have one row of settings. */
        let rows = firstRows(groups.length);
        const words = (): Uint32Array<ArrayBuffer> => {
          rows = firstRows(groups.length);
          const rowOf = segments.map((_, i) => (trained[i] ? rowFor(rows, groupNumbers[i]!, missed[i]!) : 0));
          if (rows.length > MOST_ROWS)
            throw new RangeError(`${name}: parameters were unfrozen at more than ${MOST_ROWS} different times`);
          return blockWords(arena, segments, { trained, rows: rowOf, decays });
        };
        const blocks = owns(tensor(words(), { dtype: 'u32', gpu }));
        const room = ROW * Math.min(MOST_ROWS, 1 + groups.length + segments.length);
        const numbersOf = (): Tensor => tensor(new Float32Array(room), { gpu });
        const eagerNumbers = owns(numbersOf());

        const hyper = (): Float32Array<ArrayBuffer> => {
          const all = new Float32Array(ROW * rows.length);
          rows.forEach(({ group, missed }, i) => {
            const own = groups[group - 1];
            const settings = {
              lr: own?.lr === undefined ? lr : own.lr * (lr / base),
              momentum: momentum ?? 0,
              weightDecay: own?.weightDecay ?? weightDecay,
            };
            all.set(rule.hyper(progress.step - missed, settings), ROW * i);
          });
          return all;
        };
        /** Once for each step on the device: what freezing changed, and the numbers of this step. */
        const prepare = (storage: Tensor['storage'], trainedThen: readonly boolean[]): void => {
          const now = trainedIn(arena);
          const late = now.findIndex((on, i) => on && !trainedThen[i]);
          if (late >= 0)
            throw new Error(
              `${name}.step: ${segments[late]!.name} was frozen when this step was captured, so that it has no ` +
                'gradient there; capture the step anew after unfreeze',
            );
          if (progress.missed !== missed || now.some((on, i) => on !== trained[i])) {
            trained = now;
            missed = progress.missed;
            blocks.write(words());
          }
          progress.step++;
          if (trained.includes(false))
            missed = progress.missed = missed.map((count, i) => (trained[i] ? count : count + 1));
          gpu.write(storage, 0, hyper());
        };
        return {
          name,
          segments,
          slots,
          progress,
          get lr() {
            return lr;
          },
          set lr(value) {
            checkValue(`${name}: lr`, value, atLeast(0));
            lr = value;
          },
          get momentum() {
            return momentum;
          },
          set momentum(value) {
            if (baseMomentum === undefined)
              throw new TypeError(
                `${name}: has no momentum to set, expected a rule with one, such as sgd({ momentum: 0.9 })`,
              );
            checkValue(`${name}: momentum`, value!, atLeast(0));
            momentum = value;
          },
          step: () => {
            // Each captured step has numbers of its own, written before its runs: several may lie in one capture.
            const numbers = gpu.isCapturing ? numbersOf() : eagerNumbers;
            const { storage } = numbers;
            const trainedThen = trainedIn(arena);
            gpu.beforeRun(() => prepare(storage, trainedThen));
            update({ hyper: numbers, blocks, g: arena.grads, p: arena.values });
          },
          zeroGrad: () => void clear(arena.grads),
          dispose: () => owned.forEach((t) => t.dispose()),
          [symbolDispose](this: { dispose(): void }) {
            this.dispose();
          },
        };
      });
    },
  };
}

/** A row of settings: those of a group, 0 for none, after as many steps fewer than others as were `missed`. */
interface Row {
  group: number;
  missed: number;
}

function firstRows(groups: number): Row[] {
  return Array.from({ length: 1 + groups }, (_, group) => ({ group, missed: 0 }));
}

/** The number of the row of such settings, which is added where there is none. */
function rowFor(rows: Row[], group: number, missed: number): number {
  const at = rows.findIndex((row) => row.group === group && row.missed === missed);
  return at >= 0 ? at : rows.push({ group, missed }) - 1;
}

/** Throws unless the groups have settings that the rule can take. */
function expectGroups({ name, lr, groups = [] }: Rule<string>): void {
  if (!Array.isArray(groups)) throw new TypeError(`${name}: groups is ${String(groups)}, expected a list`);
  groups.forEach((group, i) => {
    const what = `${name}: groups[${i}]`;
    checkOptions(what, group, { params: required(any), lr: atLeast(0), weightDecay: atLeast(0) });
    if (group?.params === undefined) throw new TypeError(`${what} has no params, expected for example 'head.*'`);
    if (group.lr === undefined) return;
    if (lr === 0)
      throw new RangeError(
        `${what} has a rate and ${name} has lr 0, by which schedules cannot scale it; give lr a rate, and freeze ` +
          'the others',
      );
  });
}
