import type { Pipeline } from './pipeline.ts';
import type { DeviceBuffer } from './pool.ts';
import type { Reading } from './readback.ts';
import { Storage } from './storage.ts';
import type { Choice } from './tuning/choice.ts';
import type { Uniform } from './uniforms.ts';

/** Bytes of a storage. */
export interface Range {
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
}

/** One range bound to a dispatch. */
export interface Slot extends Range {
  readonly binding: number;
  readonly writes: boolean;
}

/** An operand of an elementwise op as its kernel reads it. */
export interface MapOperand {
  readonly name: string;
  readonly type: ElementType;
  /** The value for all elements, where `range` is null. */
  readonly bits: number;
  readonly range: Range | null;
  /**
   * Size and stride of each axis, the last first, up to the last stride that is not 0; null: element i of the result
   * takes element i.
   */
  readonly axes: readonly number[] | null;
  /** Elements before the first. */
  readonly start: number;
  /** Where the one value for all elements of an invocation lies: WGSL of the names of earlier operands. */
  readonly at: string | null;
}

/** What an element is in the text of a kernel. */
export type ElementType = 'f32' | 'i32' | 'u32';

/** One result of an elementwise op. */
export interface MapResult {
  /** By which the body sets it; '' where the body is its value. */
  readonly name: string;
  readonly type: ElementType;
  readonly to: Range;
}

/** One elementwise op. */
export interface MapOp {
  readonly name: string;
  /** WGSL of the names of the operands: the value of the one result, or statements that set results by their names. */
  readonly body: string;
  /** WGSL of the first operand: where it is false all results stay as they are; or ''. */
  readonly guard: string;
  readonly operands: readonly MapOperand[];
  /** Operands too, where they have names. */
  readonly results: readonly MapResult[];
}

/** WGSL functions that the bodies of ops may call. */
export interface Library {
  readonly name: string;
  readonly functions: string;
}

/** Elementwise ops over the same number of elements, in their order: an op may take what an earlier one gave. */
export interface Elementwise {
  readonly library: Library;
  readonly size: number;
  readonly ops: readonly MapOp[];
}

/** Work of which several pieces fit in a dispatch: {@link Dispatch.joinable}. */
export interface Joinable {
  /** What dispatches of one kind may be joined; all of them write into `with`. */
  readonly kind: string;
  readonly with: Storage;
  readonly pieces: readonly unknown[];
  /** The dispatch that does several; null where they are too many. */
  launch(pieces: readonly unknown[]): Dispatch | null;
}

/** A pipeline and the workgroups to start. */
export interface Launch {
  readonly pipeline: Pipeline;
  readonly groups: readonly [number, number, number];
}

/** One launch of a kernel. */
export interface Dispatch extends Launch {
  readonly kind: 'dispatch';
  /**
   * The kernel that runs until the pipeline is compiled, and the share of the compilation that this launch pays: see
   * Pipeline.takes.
   */
  readonly quick: (Launch & { readonly share: number }) | null;
  /** Several launches of which `choice` says which one does the work; all give the same result. */
  readonly alternatives: { readonly choice: Choice; readonly launches: readonly Launch[] } | null;
  uniform: Uniform | null;
  /** The contents of `uniform`. */
  readonly params: Uint32Array<ArrayBuffer> | null;
  readonly slots: readonly Slot[];
  /** Arithmetic operations, where the kernel states them. */
  readonly flops: number | null;
  /** The ops of an elementwise kernel, which a captured step may fuse with others. */
  readonly elementwise: Elementwise | null;
  /** How a captured step may do it together with others. */
  readonly joinable?: Joinable | null;
  bindGroup: GPUBindGroup | null;
}

/** A copy of bytes between storages, or to a buffer that the host maps. */
export interface Copy {
  readonly kind: 'copy';
  readonly from: Storage;
  readonly fromOffset: number;
  readonly to: Storage | Reading;
  readonly toOffset: number;
  readonly bytes: number;
  ends?: { from: DeviceBuffer; fromBase: number; to: GPUBuffer; toBase: number };
}

/** Bytes set to zero. */
export interface Clear {
  readonly kind: 'clear';
  readonly storage: Storage;
  readonly offset: number;
  readonly bytes: number;
  target?: { buffer: DeviceBuffer; base: number };
}

/** What a recorder takes. The optional and mutable fields are its own: memory, noted once it is known. */
export type Command = Dispatch | Copy | Clear;

/** The storages that a command reads or writes. */
export function storagesOf(c: Command): Storage[] {
  if (c.kind === 'dispatch') return c.slots.map((s) => s.storage);
  if (c.kind === 'clear') return [c.storage];
  return c.to instanceof Storage ? [c.from, c.to] : [c.from];
}

/** The storages that a command writes, or the reading. */
export function writtenBy(c: Command): (Storage | Reading)[] {
  if (c.kind === 'dispatch') return c.slots.filter((s) => s.writes).map((s) => s.storage);
  return [c.kind === 'clear' ? c.storage : c.to];
}

/** The pipeline that a dispatch runs now. */
export function launchOf(c: Dispatch): Launch {
  if (c.alternatives) return c.alternatives.launches[c.alternatives.choice.current]!;
  return c.quick && !c.pipeline.takes(c.quick.share) ? c.quick : c;
}

/** True where no pipeline is left to compile, whichever does the work. */
export function isCompiled(commands: readonly Command[]): boolean {
  return commands.every((c) => c.kind !== 'dispatch' || (c.alternatives ? launchOf(c) : c).pipeline.isCompiled);
}

/** Every pipeline that may do the work of a dispatch. */
export function pipelinesOf({ pipeline, quick, alternatives }: Dispatch): Pipeline[] {
  return [pipeline, ...(quick ? [quick.pipeline] : []), ...(alternatives?.launches.map((l) => l.pipeline) ?? [])];
}

/** The pipelines that a first run of commands needs. */
export function firstPipelines(commands: readonly Command[]): Pipeline[] {
  const first = (c: Dispatch): Pipeline => {
    if (c.alternatives) return launchOf(c).pipeline;
    return c.quick && c.quick.share < 1 && !c.pipeline.isCompiled ? c.quick.pipeline : c.pipeline;
  };
  return [...new Set(commands.flatMap((c) => (c.kind === 'dispatch' ? [first(c)] : [])))];
}

/** Encodes a copy or a clear whose memory is known. */
export function encodeMove(encoder: GPUCommandEncoder, c: Copy | Clear): void {
  if (c.kind === 'clear') encoder.clearBuffer(c.target!.buffer.raw, c.target!.base + c.offset, c.bytes);
  else
    encoder.copyBufferToBuffer(
      c.ends!.from.raw,
      c.ends!.fromBase + c.fromOffset,
      c.ends!.to,
      c.ends!.toBase + c.toOffset,
      c.bytes,
    );
}

/** Taints what commands write from tainted memory, in their order. */
export function spreadFaults(commands: readonly Command[]): void {
  for (const command of commands) {
    const cause = faultOf(command);
    if (cause) for (const target of writtenBy(command)) target.fault ??= cause;
    else if (clearsAll(command)) command.storage.fault = null;
  }
}

/**
 * Taints all that commands write, since they failed with `error`. An operation that failed before, on what they use, is
 * the first cause.
 */
export function taint(commands: readonly Command[], error: Error): void {
  const cause = commands.map(faultOf).find((fault) => fault !== null) ?? error;
  for (const command of commands) for (const target of writtenBy(command)) target.fault = cause;
}

/** The fault of the first tainted storage that a command uses; a clear of all of one uses nothing of it. */
function faultOf(command: Command): Error | null {
  if (clearsAll(command)) return command.storage.memoryFault;
  for (const storage of storagesOf(command)) if (storage.fault) return storage.fault;
  return command.kind === 'dispatch' ? (command.uniform?.fault ?? null) : null;
}

function clearsAll(command: Command): command is Clear {
  return command.kind === 'clear' && command.offset === 0 && command.bytes === command.storage.bytes;
}
