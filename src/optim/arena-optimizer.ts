import { symbolDispose } from '../gpu/dispose.ts';
import { copyOver } from '../tensor/copy.ts';
import { unscoped } from '../tensor/scope.ts';
import { clear, tensor, zeros, type Tensor } from '../tensor/tensor.ts';
import type { ParameterSelection } from '../tensor/selection.ts';
import { any, atLeast, checkOptions, checkValue, type Rules } from '../check/check.ts';
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

/** What every rule reads in a step; each has more. */
export interface StepSettings {
  lr: number;
  weightDecay: number;
  maximize: boolean;
}

/** An update rule over a flat arena, with the settings `T`. */
export interface Rule<S extends string, T extends StepSettings> extends Pick<SharedOptions, 'decays'> {
  name: string;
  settings: GroupedSettings<T>;
  /** The momentum that a schedule may cycle. Default: there is none. */
  momentum?: number | undefined;
  /** The settings with another momentum. Default: `momentum` replaced. */
  withMomentum?: (settings: T, momentum: number) => T;
  slots: readonly S[];
  /** Value that slots start with. Default: 0. */
  fill?: number;
  /**
   * The numbers, at most 8, that the kernel reads under these settings in `step`, from 1, of the parameter. They lie in
   * device memory.
   */
  hyper(step: number, settings: T): readonly number[];
  /** Allocates what the rule needs; returns the function that records the update. */
  bind(context: UpdateContext<S>): (shared: UpdateBuffers) => void;
}

/**
 * Numbers in a row of `hyper`, whose first row says whether the step is skipped; the others are settings.
 * lib/optimizer.wgsl agrees.
 */
const ROW = 8;

/** The optimiser of a rule: slots, groups, hyper-parameters in device memory, and their lifetimes. */
export function arenaOptimizer<S extends string, T extends StepSettings>(rule: Rule<S, T>): Optimizer {
  const { name, settings, momentum: baseMomentum, decays, fill = 0 } = rule;
  const { withMomentum = (all: T, momentum: number): T => ({ ...all, momentum }) } = rule;
  const { base, groups } = settings;
  return {
    name,
    lr: base.lr,
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
        let [lr, momentum] = [base.lr, baseMomentum];
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
        const room = ROW + ROW * Math.min(MOST_ROWS, 1 + groups.length + segments.length);
        const numbersOf = (): Tensor => tensor(new Float32Array(room), { gpu });
        const eagerNumbers = owns(numbersOf());
        let skipIf: Tensor | null = null;

        const hyper = (): Float32Array<ArrayBuffer> => {
          const all = new Float32Array(ROW + ROW * rows.length);
          const shared = { ...(momentum === undefined ? base : withMomentum(base, momentum)), lr };
          rows.forEach(({ group, missed }, i) => {
            const { own } = groups[group - 1] ?? {};
            const rate = own?.lr === undefined ? lr : own.lr * (lr / base.lr);
            all.set(rule.hyper(progress.step - missed, { ...shared, ...own, lr: rate }), ROW + ROW * i);
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
          get skipIf() {
            return skipIf;
          },
          set skipIf(value) {
            skipIf = value;
          },
          step: () => {
            // Each captured step has numbers of its own, written before its runs: several may lie in one capture.
            const numbers = gpu.isCapturing ? numbersOf() : eagerNumbers;
            const { storage } = numbers;
            const trainedThen = trainedIn(arena);
            gpu.beforeRun(() => prepare(storage, trainedThen));
            if (skipIf) copyOver(skipIf, numbers);
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

/** The settings of a rule, and what each of its groups has in their place. */
export interface GroupedSettings<T> {
  base: T;
  groups: readonly { params: ParameterSelection; own: Partial<T> }[];
}

/**
 * The settings of the rule `name`, which were checked by `rules`, and of its groups, which are checked here; `check`
 * throws where settings do not go together. Throws TypeError where a group has an option that is `fixed`, the same for
 * all parameters, or unknown.
 */
export function groupedSettings<T extends StepSettings>(
  name: string,
  base: T,
  given: readonly ({ params: ParameterSelection } & Partial<T>)[] = [],
  { rules, fixed, check }: { rules: Rules<T>; fixed: readonly string[]; check?: (what: string, settings: T) => void },
): GroupedSettings<T> {
  check?.(name, base);
  if (!Array.isArray(given)) throw new TypeError(`${name}: groups is ${String(given)}, expected a list`);
  const groups = given.map((group, i) => {
    const what = `${name}: groups[${i}]`;
    const same = fixed.find((option) => group !== null && typeof group === 'object' && option in group);
    if (same !== undefined)
      throw new TypeError(`${what}.${same} cannot differ between groups, ${name} has one ${same} for all parameters`);
    checkOptions<object>(what, group, { params: any, ...rules });
    if (group?.params === undefined) throw new TypeError(`${what} has no params, expected for example 'head.*'`);
    const { params, ...rest } = group;
    const own = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)) as Partial<T>;
    check?.(what, { ...base, ...own });
    if (own.lr !== undefined && base.lr === 0)
      throw new RangeError(
        `${what} has a rate and ${name} has lr 0, by which schedules cannot scale it; give lr a rate, and freeze ` +
          'the others',
      );
    return { params, own };
  });
  return { base, groups };
}

/** Whether any parameter moves with momentum, so that all need memory for it. */
export function hasMomentum({ base, groups }: GroupedSettings<{ momentum: number }>): boolean {
  return base.momentum !== 0 || groups.some(({ own }) => own.momentum !== undefined && own.momentum !== 0);
}
