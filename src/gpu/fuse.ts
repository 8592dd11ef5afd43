import type { Clear, Command, Dispatch, Elementwise, Joinable, MapOp, Range } from './commands.ts';
import type { Gpu } from './device.ts';
import { dispatchOf, sameRange } from './chain.ts';
import type { Recording } from './recording.ts';
import { Storage } from './storage.ts';

/** Most ops of one kernel, which is one function to the compiler. */
const MOST_OPS = 32;

/** A range that a command reads or writes. */
interface Access extends Range {
  readonly writes: boolean;
}

/** Dispatches and clears that may become one, in the place of the last. */
export interface Group {
  /** Their numbers among the commands, ascending. */
  readonly members: readonly number[];
  readonly dispatch: Dispatch;
}

/** The same of elementwise ops. */
interface Chain extends Group {
  readonly program: Elementwise;
}

/** The commands with each group in the place of its last member. */
export function withGroups(commands: readonly Command[], groups: Iterable<Group>): Command[] {
  const out: (Command | null)[] = [...commands];
  for (const { members, dispatch } of groups) {
    for (const at of members) out[at] = null;
    out[members.at(-1)!] = dispatch;
  }
  return out.filter((c) => c !== null);
}

/**
 * The elementwise ops of a recording joined to those that take their results, where what lies between does not touch
 * what they use; of these groups any may be taken. A clear of what they use joins them. What nothing else reads is
 * neither written nor has memory: results that were freed and are not in `kept`.
 */
export function groupsIn(gpu: Gpu, { commands, planned }: Recording, kept: ReadonlySet<Storage>): Group[] {
  const own = new Set(planned.filter((s) => s.isFreed && !kept.has(s)));
  const users = usersOf(commands);
  /** Groups that a command may still join, and those of each storage among them. */
  const open = new Map<Storage, Set<Chain>>();
  const groups = new Set<Chain>();
  const close = (group: Chain): void => {
    for (const { storage } of accessesOf(group.program.ops)) open.get(storage)?.delete(group);
  };
  const add = (group: Chain): void => {
    groups.add(group);
    for (const { storage } of accessesOf(group.program.ops)) {
      if (!open.has(storage)) open.set(storage, new Set());
      open.get(storage)!.add(group);
    }
  };
  commands.forEach((command, at) => {
    const ops = opsOf(command);
    const accesses = ops ? accessesOf(ops) : rangesOf(command);
    const touched = new Set(accesses.flatMap(({ storage }) => [...(open.get(storage) ?? [])]));
    let joined: Chain | null =
      command.kind === 'dispatch' && command.elementwise
        ? { members: [at], program: command.elementwise, dispatch: command }
        : null;
    for (const group of touched) {
      if (!conflict(accessesOf(group.program.ops), accesses)) continue;
      const wider = joined ? merged(group, joined) : command.kind === 'clear' ? withClear(group, command, at) : null;
      close(group);
      if (!wider) continue;
      groups.delete(group);
      joined = wider;
    }
    if (joined) add(joined);
  });
  return [...groups].filter(({ members }) => members.length > 1);

  function withClear(group: Chain, command: Clear, at: number): Chain | null {
    const { library } = group.program;
    return merged(group, { members: [at], program: { library, size: command.bytes / 4, ops: opsOf(command)! } });
  }

  /** Two groups as one; null where they cannot be. */
  function merged(a: Chain, b: Omit<Chain, 'dispatch'>): Chain | null {
    const { library, size } = a.program;
    if (
      library !== b.program.library ||
      size !== b.program.size ||
      a.program.ops.length + b.program.ops.length > MOST_OPS
    )
      return null;
    const members = [...a.members, ...b.members].sort((i, j) => i - j);
    const ops = members.flatMap((i) => opsOf(commands[i]!)!);
    if (!isElementwise(ops)) return null;
    const program = { library, size, ops };
    const inside = usersOf(members.map((i) => commands[i]!));
    const dispatch = dispatchOf(gpu, program, (s) => own.has(s) && users.get(s) === inside.get(s));
    return dispatch && { members, program, dispatch };
  }
}

/** The elementwise ops that a command is; null for others. */
function opsOf(c: Command): readonly MapOp[] | null {
  if (c.kind === 'dispatch') return c.elementwise?.ops ?? null;
  if (c.kind !== 'clear') return null;
  const { storage, offset, bytes } = c;
  const to = { storage, offset, bytes };
  return [{ name: 'clear', body: '0u', guard: '', operands: [], results: [{ name: '', type: 'u32', to }] }];
}

/** In how many of the commands each storage occurs. */
function usersOf(commands: readonly Command[]): Map<Storage, number> {
  const users = new Map<Storage, number>();
  for (const command of commands)
    for (const s of new Set(rangesOf(command).map(({ storage }) => storage))) users.set(s, (users.get(s) ?? 0) + 1);
  return users;
}

/**
 * Dispatches that fit in one, in the place of the last: nothing between takes what they give or changes what they take.
 */
export function joinsIn(commands: readonly Command[]): Group[] {
  interface Open {
    readonly members: readonly number[];
    readonly dispatch: Dispatch;
    readonly joinable: Joinable;
    readonly accesses: readonly Access[];
  }
  const groups = new Set<Open>();
  /** Those that a command may still join. */
  const open = new Set<Open>();
  commands.forEach((command, at) => {
    const accesses = rangesOf(command);
    for (const group of open) if (conflict(group.accesses, accesses)) open.delete(group);
    const own = command.kind === 'dispatch' && command.joinable;
    if (!own) return;
    const alone: Open = { members: [at], dispatch: command, joinable: own, accesses };
    const before = [...open].find(({ joinable }) => joinable.kind === own.kind && joinable.with === own.with);
    const pieces = [...(before?.joinable.pieces ?? []), ...own.pieces];
    const dispatch = before && own.launch(pieces);
    const next = dispatch
      ? {
          members: [...before.members, at],
          dispatch,
          joinable: { ...own, pieces },
          accesses: [...before.accesses, ...accesses],
        }
      : alone;
    if (before) open.delete(before);
    if (before && dispatch) groups.delete(before);
    open.add(next);
    groups.add(next);
  });
  return [...groups].filter(({ members }) => members.length > 1);
}

function rangesOf(c: Command): Access[] {
  if (c.kind === 'dispatch') return [...c.slots];
  if (c.kind === 'clear') return [{ storage: c.storage, offset: c.offset, bytes: c.bytes, writes: true }];
  const from = { storage: c.from, offset: c.fromOffset, bytes: c.bytes, writes: false };
  return c.to instanceof Storage ? [from, { storage: c.to, offset: c.toOffset, bytes: c.bytes, writes: true }] : [from];
}

/** What the ops read and write; `isOwn`: element i of it belongs to element i of the result. */
function accessesOf(ops: readonly MapOp[]): (Access & { isOwn: boolean })[] {
  return ops.flatMap(({ operands, results }) => [
    ...operands.flatMap(({ range, axes, start }) =>
      range ? [{ ...range, writes: false, isOwn: axes === null && start === 0 }] : [],
    ),
    ...results.map(({ to }) => ({ ...to, writes: true, isOwn: true })),
  ]);
}

const overlap = (a: Range, b: Range): boolean =>
  a.storage === b.storage && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;

/** True where the order of two commands matters. */
function conflict(a: readonly Access[], b: readonly Access[]): boolean {
  return a.some((p) => b.some((q) => (p.writes || q.writes) && overlap(p, q)));
}

/**
 * True where each element can be computed on its own: what is written is read at the same place alone. WebGPU also
 * refuses a buffer that one dispatch binds for reading alone here and for writing there.
 */
function isElementwise(ops: readonly MapOp[]): boolean {
  const accesses = accessesOf(ops);
  return accesses.every(
    (p) =>
      !p.writes ||
      accesses.every((q) => {
        if (p.storage !== q.storage) return true;
        if (sameRange(p, q)) return q.isOwn;
        return !overlap(p, q) && accesses.some((r) => r.writes && sameRange(r, q));
      }),
  );
}
