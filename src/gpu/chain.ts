import type { Dispatch, Elementwise, Library, MapOp, MapOperand, Range } from './commands.ts';
import type { Gpu } from './device.ts';
import { GpuError } from './errors.ts';
import { groupsOf, keptPipeline, type Bindable } from './kernel.ts';
import { specialize } from './specialize.ts';
import type { Storage } from './storage.ts';

/** What the body of an elementwise op reads under a name. */
export interface Operand {
  readonly type: MapOp['type'];
  /** Memory, or the bits of one value for all elements. */
  readonly from: Bindable | number;
  /**
   * Where element i of the result finds its own: size and stride of each axis of the result, the last axis first; a
   * stride is 0 along a broadcast axis. Default: element i.
   */
  readonly axes?: readonly number[];
  /** Elements before the first in `from`. Default: 0. */
  readonly start?: number;
}

/** Where the result goes. */
export interface Result {
  readonly type: MapOp['type'];
  readonly to: Bindable;
}

/** What a kernel may bind, and what fits in its parameters (uniforms.ts): every adapter grants it. */
const MOST_BINDINGS = 8;
const MOST_WORDS = 60;

/**
 * Records result = body(operands) for `size` elements: WGSL of the operands' names and of the functions in `library`;
 * operands that it does not name are not read. `op` is for errors and profiles. In a captured step it may share a
 * kernel with its neighbours: see fuse.ts.
 */
export function launchMap(
  library: Library,
  op: string,
  body: string,
  operands: Readonly<Record<string, Operand>>,
  result: Result,
  size: number,
): void {
  if (size === 0) return;
  const { gpu } = result.to;
  const named = new Set(body.match(/\w+/g));
  const names = Object.keys(operands).filter((name) => named.has(name));
  const first = names.find((name) => typeof operands[name]!.from !== 'number');
  const sources = names.map((name): MapOperand => {
    const { type, from, axes, start = 0 } = operands[name]!;
    if (typeof from === 'number') return { name, type, bits: from, range: null, axes: null, start: 0 };
    if (from.gpu !== gpu)
      throw new GpuError(`${op}: ${name} lives on another device than ${first}; make both with the same gpu`);
    return { name, type, bits: 0, range: rangeOf(from), axes: axes ? simplified(axes) : null, start };
  });
  const program = {
    library,
    size,
    ops: [{ name: op, body, operands: sources, type: result.type, to: rangeOf(result.to) }],
  };
  gpu.recorder.push(dispatchOf(gpu, program)!);
}

const rangeOf = ({ storage, byteOffset, byteLength }: Bindable): Range => ({
  storage,
  offset: byteOffset,
  bytes: byteLength,
});

/** The axes without those of size 1, neighbours joined, up to the last stride that is not 0; null: element i itself. */
function simplified(axes: readonly number[]): readonly number[] | null {
  const out: number[] = [];
  for (let r = 0; r < axes.length; r += 2) {
    const [n, stride] = [axes[r]!, axes[r + 1]!];
    if (n === 1) continue;
    const [size, step] = out.slice(-2) as [number, number];
    if (out.length > 0 && stride === step * size) out[out.length - 2] = size * n;
    else out.push(n, stride);
  }
  if (out.length === 0 || (out.length === 2 && out[1] === 1)) return null;
  while (out.length > 0 && out.at(-1) === 0) out.length -= 2;
  return out;
}

/**
 * The kernel of a chain of ops, or null where it would bind too much. `isDead`: what nothing reads after the chain, so
 * that it need not be written.
 */
export function dispatchOf(
  gpu: Gpu,
  program: Elementwise,
  isDead: (storage: Storage) => boolean = () => false,
): Dispatch | null {
  const { text, accesses, slots, words, step } = new Writer(program, isDead);
  if (slots.length > MOST_BINDINGS || words.length > MOST_WORDS) return null;
  const { library } = program;
  const label = `${library.name}.${nameOf(program)}`;
  const { pipeline, workgroup } = keptPipeline(gpu, `${label} ${text}`, {
    label,
    layout: {
      label: `chain ${accesses.join(' ')}`,
      accesses: [[0, 'uniform'], ...slots.map((s, i): [number, string] => [s.binding, accesses[i]!])],
    },
    code: () => specialize(library.functions + text, {}, gpu.tuning.bodies).code,
    entry: 'forward',
    workgroup: [64, 1, 1],
  });
  const params = new Uint32Array(4 + 4 * quadsOf(words));
  params[0] = program.size / step;
  params.set(words, 4);
  return {
    kind: 'dispatch',
    pipeline,
    groups: groupsOf([program.size / step], workgroup, label),
    quick: null,
    alternatives: null,
    uniform: gpu.uniforms.get(params),
    params,
    slots,
    flops: null,
    elementwise: program,
    bindGroup: null,
  };
}

const quadsOf = (words: readonly number[]): number => Math.max(1, Math.ceil(words.length / 4));

/** The ops of a chain, those in a row counted: 'mul+tanh*3'. */
function nameOf({ ops }: Elementwise): string {
  const runs: [name: string, count: number][] = [];
  for (const { name } of ops) {
    const last = runs.at(-1);
    if (last?.[0] === name) last[1]++;
    else runs.push([name, 1]);
  }
  return runs.map(([name, count]) => (count === 1 ? name : `${name}*${count}`)).join('+');
}

/** A value in the text of a kernel. */
interface Value {
  readonly text: string;
  readonly type: MapOp['type'];
  /** One for each of four elements, rather than one for all. */
  readonly isVector: boolean;
}

/** True where both are the same bytes. */
export const sameRange = (a: Range, b: Range): boolean =>
  a.storage === b.storage && a.offset === b.offset && a.bytes === b.bytes;

/**
 * Writes the kernel of a chain. Its text says nothing of sizes, strides and values, which are words of the parameters,
 * so chains of one form share a pipeline.
 */
class Writer {
  readonly text: string;
  readonly words: number[] = [];
  /** Elements of an invocation. */
  readonly step: 1 | 4;
  readonly #size: number;
  readonly #bindings: { range: Range; type: MapOp['type']; isVector: boolean; writes: boolean }[] = [];
  readonly #lines: string[] = [];
  readonly #functions = new Map<string, string>();
  /** What was written already, by its meaning. */
  readonly #known = new Map<string, string>();

  constructor({ size, ops }: Elementwise, isDead: (storage: Storage) => boolean) {
    const isWhole = ops.every(({ operands }) => operands.every(takesFour));
    this.#size = size;
    this.step = size % 4 === 0 && isWhole ? 4 : 1;
    const results: Value[] = [];
    /** The op before number j that gave the values of an operand. */
    const giver = ({ range }: MapOperand, j: number): number => {
      let k = j - 1;
      while (k >= 0 && !(range && sameRange(ops[k]!.to, range))) k--;
      return k;
    };
    const passed = new Set(ops.flatMap(({ operands }, j) => operands.map((operand) => giver(operand, j))));
    ops.forEach(({ body, operands, type }, j) => {
      const values = operands.map((operand): Value => {
        const k = giver(operand, j);
        return cast(k < 0 ? this.#read(operand) : results[k]!, operand.type);
      });
      const head = `(${operands.map((o) => `${o.name}: ${o.type}`).join(', ')}) -> ${type} { return ${body}; }`;
      const name = this.#functions.get(head) ?? `op${this.#functions.size}`;
      this.#functions.set(head, name);
      const call = (lane: string): string =>
        `${name}(${values.map(({ text, isVector }) => (isVector ? text + lane : text)).join(', ')})`;
      const whole = this.step === 1 ? call('') : `vec4<${type}>(${['.x', '.y', '.z', '.w'].map(call).join(', ')})`;
      // A value that goes from op to op is rounded and told from NaN as one that goes through memory: no compiler sees
      // through a word that it does not know, so it does not join a product and a sum of two ops.
      const isHeld = passed.has(j) && type === 'f32';
      this.#lines.push(`let v${j} = ${isHeld ? (this.step === 1 ? `held(${whole})` : `held4(${whole})`) : whole};`);
      results.push({ text: `v${j}`, type, isVector: this.step === 4 });
    });
    ops.forEach(({ to, type }, j) => {
      if (isDead(to.storage) || ops.some((later, k) => k > j && sameRange(later.to, to))) return;
      const at = this.#bind(to, type, this.step === 4, true);
      this.#lines.push(`r${at + 1}[i] = ${cast(results[j]!, this.#bindings[at]!.type).text};`);
    });
    this.text = this.#whole();
  }

  get accesses(): string[] {
    return this.#bindings.map(({ writes }) => (writes ? 'read_write' : 'read'));
  }

  get slots(): Dispatch['slots'] {
    return this.#bindings.map(({ range, writes }, i) => ({ binding: i + 1, ...range, writes }));
  }

  #whole(): string {
    const bindings = this.#bindings.map(
      ({ type, isVector, writes }, i) =>
        `@group(0) @binding(${i + 1}) var<storage, ${writes ? 'read_write' : 'read'}> r${i + 1}: ` +
        `array<${isVector ? `vec4<${type}>` : type}>;`,
    );
    return [
      `struct Params { size: u32, zero: u32, words: array<vec4u, ${quadsOf(this.words)}> }`,
      '@group(0) @binding(0) var<uniform> params: Params;',
      ...bindings,
      'fn held(v: f32) -> f32 { return bitcast<f32>(bitcast<u32>(v) ^ params.zero); }',
      'fn held4(v: vec4f) -> vec4f { return bitcast<vec4f>(bitcast<vec4u>(v) ^ vec4u(params.zero)); }',
      ...[...this.#functions].map(([head, name]) => `fn ${name}${head}`),
      '@compute @workgroup_size(64)',
      'fn forward(@builtin(global_invocation_id) id: vec3u) {',
      'let i = linearIndex(id);',
      'if (i >= params.size) { return; }',
      ...this.#lines,
      '}',
    ].join('\n');
  }

  #read({ type, bits, range, axes, start }: MapOperand): Value {
    if (!range) {
      const { text } = cast({ text: this.#word(bits), type: 'u32', isVector: false }, type);
      return { text: this.#let(text), type, isVector: false };
    }
    const isVector = this.step === 4 && (axes === null || axes[1] === 1);
    const unit = isVector ? 4 : 1;
    const at = this.#bind(range, type, isVector, false);
    const index = this.#index(axes ?? [], axes === null, isVector) + (start ? ` + ${this.#word(start / unit)}` : '');
    const text = this.#let(`r${at + 1}[${index}]`);
    return cast({ text, type: this.#bindings[at]!.type, isVector }, type);
  }

  #bind(range: Range, type: MapOp['type'], isVector: boolean, writes: boolean): number {
    const at = this.#bindings.findIndex((b) => b.isVector === isVector && sameRange(b.range, range));
    if (at < 0) return this.#bindings.push({ range, type, isVector, writes }) - 1;
    this.#bindings[at]!.writes ||= writes;
    return at;
  }

  /** The index of an operand's element, or of its four. */
  #index(axes: readonly number[], isOwn: boolean, isVector: boolean): string {
    if (isOwn) return 'i';
    const key = `index ${axes} ${isVector}`;
    const known = this.#known.get(key);
    if (known) return known;
    const terms: string[] = [];
    let rest = 'i';
    let sizes = '';
    let covered = 1;
    for (let r = 0; r < axes.length; r += 2) {
      const n = r === 0 ? axes[r]! / this.step : axes[r]!;
      const stride = isVector && r > 0 ? axes[r + 1]! / 4 : axes[r + 1]!;
      // Axes that were told apart by the same sizes are told apart by the same text.
      sizes += `/${n}`;
      const size = this.#known.get(sizes) ?? this.#word(n);
      this.#known.set(sizes, size);
      covered *= axes[r]!;
      const own = covered === this.#size ? rest : `${rest} % ${size}`;
      if (stride) terms.push(stride === 1 ? own : `${own} * ${this.#word(stride)}`);
      if (r + 2 < axes.length) rest = this.#let(`${rest} / ${size}`);
    }
    const index = terms.length > 0 ? this.#let(terms.join(' + ')) : '0u';
    this.#known.set(key, index);
    return index;
  }

  /** A variable with the value of an expression. */
  #let(expression: string): string {
    const known = this.#known.get(expression);
    if (known) return known;
    const name = `t${this.#lines.length}`;
    this.#lines.push(`let ${name} = ${expression};`);
    this.#known.set(expression, name);
    return name;
  }

  #word(value: number): string {
    const at = this.words.push(value >>> 0) - 1;
    return `params.words[${at >> 2}].${'xyzw'[at & 3]}`;
  }
}

/** Whether an operand of four neighbours is a vector, or one element. */
function takesFour({ axes, start }: MapOperand): boolean {
  if (axes === null) return start % 4 === 0;
  if (axes.length === 0) return true;
  if (axes[0]! % 4 !== 0) return false;
  return (
    axes[1] === 0 || (axes[1] === 1 && start % 4 === 0 && axes.every((n, i) => i < 2 || i % 2 === 0 || n % 4 === 0))
  );
}

function cast(value: Value, type: MapOp['type']): Value {
  if (value.type === type) return value;
  return { ...value, text: `bitcast<${value.isVector ? `vec4<${type}>` : type}>(${value.text})`, type };
}
