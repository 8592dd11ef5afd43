import type { Dispatch, ElementType, Elementwise, Library, MapOp, MapOperand, MapResult, Range } from './commands.ts';
import type { Gpu } from './device.ts';
import { GpuError } from './errors.ts';
import { groupsOf, keptPipeline, type Bindable } from './kernel.ts';
import { specialize } from './specialize.ts';
import type { Storage } from './storage.ts';

/** What the body of an elementwise op reads under a name. */
export interface Operand {
  readonly type: ElementType;
  /** Memory, or the bits of one value for all elements. */
  readonly from: Bindable | number;
  /**
   * Where element i of the result finds its own: size and stride of each axis of the result, the last axis first; a
   * stride is 0 along a broadcast axis. Default: element i.
   */
  readonly axes?: readonly number[];
  /** Elements before the first in `from`. Default: 0. */
  readonly start?: number;
  /**
   * In the place of `axes` and `start`, for tables: the index, WGSL of the names of operands before it. Each of these
   * has one value for any four neighbours that start at a multiple of four.
   */
  readonly at?: string;
}

/** Where a result goes. */
export interface Result {
  readonly type: ElementType;
  readonly to: Bindable;
}

/** An elementwise op of one result, the value of its body, or of several, which its body sets by their names. */
export interface ElementwiseOp {
  /** For errors and profiles. */
  readonly name: string;
  /** WGSL of the names of the operands and of the functions in the library. */
  readonly body: string;
  /** WGSL of operands, best the first ones: where it is false the results stay as they are, and no more is read. */
  readonly guard?: string;
  /** Those that neither `body`, `guard` nor an `at` names are not read. */
  readonly operands: Readonly<Record<string, Operand>>;
  /** Operands too, with whose values they start; the name of a single value is ''. */
  readonly results: Readonly<Record<string, Result>>;
}

/** What a kernel may bind, and what fits in its parameters (uniforms.ts): every adapter grants it. */
const MOST_BINDINGS = 8;
const MOST_WORDS = 60;

/**
 * Records an elementwise op over `size` elements: one dispatch. In a captured step it may share a kernel with its
 * neighbours: see fuse.ts.
 */
export function launchMap(
  library: Library,
  { name: op, body, guard = '', operands, results }: ElementwiseOp,
  size: number,
): void {
  if (size === 0) return;
  const given = Object.entries(results);
  const { gpu } = given[0]![1].to;
  const ats = Object.values(operands).map(({ at }) => at);
  const named = new Set([body, guard, ...ats].join(' ').match(/\w+/g));
  const names = Object.keys(operands).filter((name) => named.has(name));
  const first = names.find((name) => typeof operands[name]!.from !== 'number');
  const sources = names.map((name): MapOperand => {
    const { type, from, axes, start = 0, at = null } = operands[name]!;
    if (typeof from === 'number') return { name, type, bits: from, range: null, axes: null, start: 0, at };
    if (from.gpu !== gpu)
      throw new GpuError(`${op}: ${name} lives on another device than ${first}; make both with the same gpu`);
    const places = at === null ? (axes ? simplified(axes) : null) : [];
    return { name, type, bits: 0, range: rangeOf(from), axes: places, start, at };
  });
  const targets = given.map(([name, { type, to }]): MapResult => ({ name, type, to: rangeOf(to) }));
  const program = { library, size, ops: [{ name: op, body, guard, operands: sources, results: targets }] };
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
 * The kernel of a chain of ops, or null where it would bind too much, even with one binding for all ranges of a
 * storage. `isDead`: what nothing reads after the chain, so that it need not be written.
 */
export function dispatchOf(
  gpu: Gpu,
  program: Elementwise,
  isDead: (storage: Storage) => boolean = () => false,
): Dispatch | null {
  const { library } = program;
  const most = gpu.device.limits.maxStorageBufferBindingSize;
  let writer = new Writer(program, isDead);
  if (writer.slots.length > MOST_BINDINGS) writer = new Writer(program, isDead, most);
  const { text, accesses, slots, words, step } = writer;
  if (slots.length > MOST_BINDINGS || words.length > MOST_WORDS) return null;
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
  readonly type: ElementType;
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
  readonly #bindings: { range: Range; type: ElementType; isVector: boolean; writes: boolean }[] = [];
  /** What is bound in the place of ranges of a storage: all of them together, where that is at most so many bytes. */
  readonly #spans: ReadonlyMap<Storage, Range>;
  readonly #lines: string[] = [];
  readonly #functions = new Map<string, string>();
  readonly #results = new Map<MapResult, Value>();
  /** What was written already, by its meaning. */
  readonly #known = new Map<string, string>();

  constructor({ size, ops }: Elementwise, isDead: (storage: Storage) => boolean, mostJoined = 0) {
    const isWhole = ops.every(({ operands }) => operands.every(takesFour));
    this.#size = size;
    this.step = size % 4 === 0 && isWhole ? 4 : 1;
    this.#spans = spansOf(ops, mostJoined);
    for (const op of ops) {
      const operands = this.#operandsOf(op, ops.length === 1);
      const calls = this.#callsOf(op, operands);
      const guard = op.guard && ops.length > 1 ? this.#let(withTexts(op.guard, operands)) : '';
      for (const result of op.results) {
        const { name, type } = result;
        const parts = name ? calls.map((call) => `${call}.${name}`) : calls;
        const whole = this.step === 1 ? parts[0]! : `vec4<${type}>(${parts.join(', ')})`;
        const text = `v${this.#results.size}`;
        this.#lines.push(`let ${text} = ${guard ? `select(${operands.get(name)!.text}, ${whole}, ${guard})` : whole};`);
        this.#results.set(result, { text, type, isVector: this.step === 4 });
      }
    }
    for (const [{ to, type }, value] of this.#results) {
      if (isDead(to.storage) || this.#resultIn(to) !== value) continue;
      const place = this.#bind(to, type, this.step === 4, true);
      this.#lines.push(`${place.name}[i${place.offset}] = ${cast(value, place.type).text};`);
    }
    this.text = this.#whole();
  }

  /** The last result in a range. */
  #resultIn(range: Range | null): Value | undefined {
    return range ? [...this.#results].filter(([{ to }]) => sameRange(to, range)).at(-1)?.[1] : undefined;
  }

  /** The values of the operands of an op, by their names; where the op `isOnly`, an invocation ends at its guard. */
  #operandsOf({ guard, operands }: MapOp, isOnly: boolean): ReadonlyMap<string, Value> {
    const values = new Map<string, Value>();
    const words = new Set(guard.match(/\w+/g));
    const last = isOnly ? operands.filter(({ name }) => words.has(name)).at(-1) : undefined;
    for (const operand of operands) {
      const given = this.#resultIn(operand.range);
      values.set(operand.name, cast(given ? this.#held(given) : this.#read(operand, values), operand.type));
      if (operand === last) this.#lines.push(`if (!(${withTexts(guard, values)})) { return; }`);
    }
    return values;
  }

  /**
   * A value that goes from op to op: rounded and told from NaN as one that goes through memory. No compiler sees
   * through a word that it does not know, so it does not join a product and a sum of two ops.
   */
  #held(value: Value): Value {
    if (value.type !== 'f32') return value;
    return { ...value, text: this.#let(`${this.step === 1 ? 'held' : 'held4'}(${value.text})`) };
  }

  /** The calls of the function of an op, one for each element of an invocation. */
  #callsOf(op: MapOp, operands: ReadonlyMap<string, Value>): readonly string[] {
    const code = functionOf(op);
    const name = this.#functions.get(code) ?? `op${this.#functions.size}`;
    this.#functions.set(code, name);
    const calls = (this.step === 1 ? [''] : ['.x', '.y', '.z', '.w']).map((lane) => {
      const texts = Array.from(operands.values(), ({ text, isVector }) => (isVector ? text + lane : text));
      return `${name}(${texts.join(', ')})`;
    });
    return op.results[0]!.name ? calls.map((call) => this.#let(call)) : calls;
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
      ...[...this.#functions].map(([code, name]) => code.replaceAll('@', name)),
      '@compute @workgroup_size(64)',
      'fn forward(@builtin(global_invocation_id) id: vec3u) {',
      'let i = linearIndex(id);',
      'if (i >= params.size) { return; }',
      ...this.#lines,
      '}',
    ].join('\n');
  }

  /** `known`: values that an index may name. */
  #read({ type, bits, range, axes, start, at }: MapOperand, known: ReadonlyMap<string, Value>): Value {
    if (!range) {
      const { text } = cast({ text: this.#word(bits), type: 'u32', isVector: false }, type);
      return { text: this.#let(text), type, isVector: false };
    }
    const isVector = this.step === 4 && (axes === null || axes[1] === 1);
    const place = this.#bind(range, type, isVector, false);
    const index = at === null ? this.#index(axes ?? [], axes === null, isVector) : withTexts(at, known);
    const own = index + (start ? ` + ${this.#word(start / (isVector ? 4 : 1))}` : '');
    const text = this.#let(`${place.name}[${own}${place.offset}]`);
    return cast({ text, type: place.type, isVector }, type);
  }

  /** The binding of a range, and what an index into the range lacks to be one into the binding: ' + ...' or ''. */
  #bind(
    own: Range,
    type: ElementType,
    isVector: boolean,
    writes: boolean,
  ): { name: string; offset: string; type: ElementType } {
    const range = this.#spans.get(own.storage) ?? own;
    let at = this.#bindings.findIndex((b) => b.isVector === isVector && sameRange(b.range, range));
    if (at < 0) at = this.#bindings.push({ range, type, isVector, writes }) - 1;
    const binding = this.#bindings[at]!;
    binding.writes ||= writes;
    const ahead = (own.offset - range.offset) / (isVector ? 16 : 4);
    return { name: `r${at + 1}`, offset: ahead ? ` + ${this.#word(ahead)}` : '', type: binding.type };
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

/** The function of an op, in WGSL with @ for its name: of one element, with its result or all of them. */
function functionOf({ body, operands, results }: MapOp): string {
  const typed = (list: readonly { name: string; type: ElementType }[], mark = ''): string =>
    list.map(({ name, type }) => `${name}${mark}: ${type}`).join(', ');
  if (!results[0]!.name) return `fn @(${typed(operands)}) -> ${results[0]!.type} { return ${body}; }`;
  return `struct @Results { ${typed(results)} }
fn @(${typed(operands, '_')}) -> @Results {
${operands.map(({ name }) => `var ${name} = ${name}_;`).join('\n')}
${body}
return @Results(${results.map(({ name }) => name).join(', ')});
}`;
}

const withTexts = (code: string, values: ReadonlyMap<string, Value>): string =>
  code.replace(/\w+/g, (word) => values.get(word)?.text ?? word);

/** For each storage with several ranges, what holds all that the ops use of it, where that is at most so many bytes. */
function spansOf(ops: readonly MapOp[], most: number): ReadonlyMap<Storage, Range> {
  const spans = new Map<Storage, Range>();
  if (most === 0) return spans;
  for (const { operands, results } of ops) {
    for (const range of [...operands.map((o) => o.range), ...results.map((r) => r.to)]) {
      if (!range) continue;
      const { storage, offset, bytes } = spans.get(range.storage) ?? range;
      const first = Math.min(offset, range.offset);
      spans.set(storage, {
        storage,
        offset: first,
        bytes: Math.max(offset + bytes, range.offset + range.bytes) - first,
      });
    }
  }
  for (const [storage, { bytes }] of spans) if (bytes > most) spans.delete(storage);
  return spans;
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

function cast(value: Value, type: ElementType): Value {
  if (value.type === type) return value;
  return { ...value, text: `bitcast<${value.isVector ? `vec4<${type}>` : type}>(${value.text})`, type };
}
