import type { Operand, Result } from '../gpu/chain.ts';
import { symbolDispose } from '../gpu/dispose.ts';
import { copyOver } from '../tensor/copy.ts';
import { elementsOf, elementwiseUpdate, firstOf } from '../tensor/elementwise.ts';
import { unscoped } from '../tensor/scope.ts';
import { clear, tensor, viewOf, zeros, type Tensor } from '../tensor/tensor.ts';
import type { ParameterSelection } from '../tensor/selection.ts';
import { any, atLeast, checkOptions, checkValue, type Rules } from '../check/check.ts';
import { BLOCK, BLOCK_CODE, blockWords, groupsOf, MOST_ROWS, segmentsOf, trainedIn } from './layout.ts';
import { arenaOf, type Optimizer, type ParameterArena, type Segment, type SharedOptions } from './optimizer.ts';

/**
 * An elementwise part of an update: one dispatch, in a captured step shared with what comes before and after it.
 */
export interface UpdatePart {
  /**
   * WGSL of one trained element: parameter `p`, gradient `g`, the slots and the numbers of the rule by their names, and
   * `block`, which tells its parameter ({@link BLOCK_CODE}).
   */
  body: string;
  /** What the body names besides. */
  operands?: Readonly<Record<string, Operand>>;
  /** What it sets. Default: `p` and the slots. */
  results?: Readonly<Record<string, Result>>;
}

/** What one bound rule works with. */
export interface UpdateContext<S extends string> {
  arena: ParameterArena;
  segments: readonly Segment[];
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
   * The numbers, at most 8, that the update reads by their names under these settings in `step`, from 1, of the
   * parameter. They lie in device memory.
   */
  numbers(step: number, settings: T): Readonly<Record<string, number>>;
  /**
   * The body of the update ({@link UpdatePart}); or, of one in several parts, what allocates all it needs and returns
   * the function that records them.
   */
  update: string | ((context: UpdateContext<S>) => (record: (part: UpdatePart) => void) => void);
}

/** Numbers in a row of settings. The first row begins with 0, or another number where the step is skipped. */
const ROW = 8;

/** The optimiser of a rule: slots, groups, hyper-parameters in device memory, and their lifetimes. */
export function arenaOptimizer<S extends string, T extends StepSettings>(rule: Rule<S, T>): Optimizer {
  const { name, settings, momentum: baseMomentum, decays = () => true, fill = 0, update } = rule;
  const { withMomentum = (all: T, momentum: number): T => ({ ...all, momentum }) } = rule;
  const { base, groups } = settings;
  const names = Object.keys(rule.numbers(1, base));
  return {
    name,
    lr: base.lr,
    ...(baseMomentum !== undefined && { momentum: baseMomentum }),
    for: (model) => {
      const arena = arenaOf(`${name}.for`, model);
      const segments = segmentsOf(arena);
      const groupNumbers = groupsOf(name, arena, groups);
      return unscoped(() => {
        const { gpu, size } = arena.values;
        const owned: { dispose(): void }[] = [];
        const owns = <T extends { dispose(): void }>(made: T): T => {
          owned.push(made);
          return made;
        };
        const slots = slotsFor(arena, rule.slots, fill);
        for (const slot of Object.values<Tensor>(slots)) owns(slot);
        const parts = typeof update === 'string' ? null : update({ arena, segments, slots, owns });
        const progress: { step: number; missed: readonly number[] } = { step: 0, missed: segments.map(() => 0) };
        let [lr, momentum] = [base.lr, baseMomentum];
        let trained = trainedIn(arena);
        let { missed } = progress;
        /** Parameters of one group that took the same number of steps, and decay alike, have one row of settings. */
        const rows: Row[] = [];
        const words = (): Uint32Array<ArrayBuffer> => {
          rows.length = 0;
          const rowOf = segments.map((segment, i) => {
            const row = { group: groupNumbers[i]!, missed: missed[i]!, decays: decays(segment.name) };
            return trained[i] ? rowFor(rows, row) : 0;
          });
          if (rows.length > MOST_ROWS)
            throw new RangeError(`${name}: parameters were unfrozen at more than ${MOST_ROWS} different times`);
          return blockWords(arena, segments, { trained, rows: rowOf });
        };
        const blocks = owns(tensor(words(), { dtype: 'u32', gpu }));
        const room = ROW + ROW * Math.min(MOST_ROWS, Math.max(1, segments.length));
        const numbersOf = (): Tensor => tensor(new Float32Array(room), { gpu });
        const eagerNumbers = owns(numbersOf());
        let skipIf: Tensor | null = null;

        const numbersNow = (): Float32Array<ArrayBuffer> => {
          const all = new Float32Array(ROW + ROW * rows.length);
          const common = { ...(momentum === undefined ? base : withMomentum(base, momentum)), lr };
          rows.forEach(({ group, missed, decays }, i) => {
            const { own } = groups[group - 1] ?? {};
            const of = { ...common, ...own, lr: own?.lr === undefined ? lr : own.lr * (lr / base.lr) };
            if (!decays) of.weightDecay = 0;
            all.set(Object.values(rule.numbers(progress.step - missed, of)), ROW + ROW * i);
          });
          return all;
        };
        const own = Object.fromEntries(
          Object.entries<Tensor>({ p: arena.values, ...slots }).map(([n, t]) => [n, elementsOf(t)]),
        );
        const shared = {
          block: { type: 'u32', from: blocks, axes: [BLOCK, 0, blocks.size, 1] },
          g: elementsOf(arena.grads),
          ...own,
        } as const;
        /** Records a part of the update that reads `numbers`. */
        const record = (numbers: Tensor, { body, operands, results = own }: UpdatePart): void => {
          const settings = names.map((n, k): [string, Operand] => {
            return [n, { type: 'f32', from: numbers, at: `${BLOCK_CODE.row} * ${ROW}u + ${ROW + k}u` }];
          });
          elementwiseUpdate(
            {
              name,
              guard: `${BLOCK_CODE.isTrained} && skip == 0.0`,
              body,
              operands: { skip: firstOf(numbers), ...shared, ...Object.fromEntries(settings), ...operands },
              results,
            },
            size,
          );
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
          gpu.write(storage, 0, numbersNow());
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
            if (typeof update === 'string') record(numbers, { body: update });
            else parts!((part) => record(numbers, part));
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

/**
 * Memory for slots over an arena, together where the device binds so much at once: a kernel can bind all of it as one.
 */
function slotsFor<S extends string>({ values }: ParameterArena, names: readonly S[], fill: number): Record<S, Tensor> {
  const { gpu, shape, size } = values;
  const make = (n: number): Tensor =>
    fill === 0 ? zeros([n], { gpu }) : tensor(new Float32Array(n).fill(fill), { gpu });
  const stride = BLOCK * Math.ceil(size / BLOCK);
  const together = stride * names.length;
  const isTogether = 4 * together <= gpu.device.limits.maxStorageBufferBindingSize;
  const memories = Array.from({ length: isTogether ? 1 : names.length }, () => make(isTogether ? together : size));
  const slotAt = (k: number): Tensor => viewOf(memories[isTogether ? 0 : k]!, shape, isTogether ? k * stride : 0);
  const slots = Object.fromEntries(names.map((name, k) => [name, slotAt(k)]));
  for (const memory of memories) memory.dispose();
  return slots as Record<S, Tensor>;
}

/**
 * A row of settings: those of a group, 0 for none, after as many steps fewer than others as were `missed`, with weight
 * decay or without.
 */
interface Row {
  group: number;
  missed: number;
  decays: boolean;
}

/** The number of the row of such settings, which is added where there is none. */
function rowFor(rows: Row[], row: Row): number {
  const at = rows.findIndex(
    ({ group, missed, decays }) => group === row.group && missed === row.missed && decays === row.decays,
  );
  return at >= 0 ? at : rows.push(row) - 1;
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
