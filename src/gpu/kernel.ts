import type { Dispatch, Joinable, Launch, Slot } from './commands.ts';
import type { Gpu } from './device.ts';
import { GpuError } from './errors.ts';
import { Pipeline, type Compiled } from './pipeline.ts';
import { specialize } from './specialize.ts';
import type { Storage } from './storage.ts';
import { STAGE_COMPUTE } from './usage.ts';

/** Size of a struct of a shader in bytes, and where its fields lie. */
export interface StructLayout {
  readonly size: number;
  readonly fields: Readonly<Record<string, readonly [offset: number, type: string]>>;
}

/** What the shader plugin knows of one `.wgsl` file. */
export interface KernelModule {
  readonly name: string;
  readonly code: string;
  readonly params: StructLayout | null;
  /** Of storage buffers that are one struct, by the name of the struct. */
  readonly structs?: Readonly<Record<string, StructLayout>>;
  readonly entries: Readonly<
    Record<
      string,
      {
        readonly workgroup: readonly string[];
        readonly bindings: readonly (readonly [name: string, binding: number, access: string])[];
      }
    >
  >;
  readonly variants: readonly string[];
}

/** What a kernel can bind: a byte range of a storage of `gpu`. */
export interface Bindable {
  readonly gpu: Gpu;
  readonly storage: Storage;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/**
 * One entry point: `kernel(params, buffers, grid, variant)` records a dispatch of at least `grid` invocations
 * (x, y, z). A grid with a zero records nothing. `variant` gives numbers for `override` declarations of the shader, and
 * replaces those marked `// variant`: a number for a `const`, an expression for a one-line `fn`, a type for an `alias`.
 * Each variant is its own pipeline.
 * `flops`, the arithmetic operations of this dispatch, is for profiles; most kernels do not state it. `other`, which
 * needs them, are kernels with the same results bit for bit: one that compiles sooner and runs until compiling this one
 * pays, or several of which the device's timings choose the fastest; or it says how a captured step joins this dispatch
 * to others.
 */
export type Kernel<P, B extends string, V extends string = never> = (
  params: P,
  buffers: Record<B, Bindable>,
  grid: readonly number[],
  variant?: Partial<Record<V, number | string>>,
  flops?: number,
  other?: Quick | Alternatives | Joinable | null,
) => void;

/** A kernel that runs in place of another until that one is compiled. */
export interface Quick {
  /** An entry with the same bindings. Default: the same. */
  entry?: string;
  variant: Partial<Record<string, number | string>>;
  grid: readonly number[];
  /** Arithmetic operations that pay for the compilation of the other. */
  flops: number;
}

/**
 * Kernels of which timings on the device choose the fastest. A dispatch may be repeated meanwhile, so it must not read
 * what it writes.
 */
export interface Alternatives {
  /** The kind of work: kernel, layout and size class. */
  key: string;
  /** What this kernel is called, the default. */
  name: string;
  /** Those with the same bindings and parameters. `entry`: default the same. */
  others: readonly {
    name: string;
    entry?: string;
    variant: Partial<Record<string, number | string>>;
    grid: readonly number[];
  }[];
}

/**
 * Workgroups per row when a one-dimensional grid is folded to stay under the limit of 65,535; lib/index.wgsl agrees.
 */
const FOLD = 32_768;

/** Turns a reflected shader into callable kernels; called by the code that the plugin generates. */
// deno-lint-ignore no-explicit-any
export function defineKernel(module: KernelModule): any {
  const out: Record<string, Kernel<Record<string, number | readonly number[]>, string, string>> = {};
  for (const entry of Object.keys(module.entries)) {
    out[entry] = (params, buffers, grid, variant, flops, other) => {
      const dispatch = dispatchFor(module, entry, params, buffers, grid, variant, flops, other);
      if (dispatch) Object.values(buffers)[0]!.gpu.recorder.push(dispatch);
    };
  }
  return out;
}

/** The dispatch of a {@link Kernel}; null where the grid is empty. */
export function dispatchFor(
  module: KernelModule,
  entry: string,
  params: Record<string, number | readonly number[]>,
  buffers: Record<string, Bindable>,
  grid: readonly number[],
  variant: Partial<Record<string, number | string>> = {},
  flops?: number,
  other: Quick | Alternatives | Joinable | null = null,
): Dispatch | null {
  const { bindings } = module.entries[entry]!;
  if (grid.some((n) => n === 0)) return null;
  const storage = bindings.filter(([name]) => name !== 'params');
  const gpu = buffers[storage[0]![0]]!.gpu;
  const slots = storage.map(([name, binding, access]): Slot => {
    const b = buffers[name]!;
    if (b.gpu !== gpu)
      throw new GpuError(
        `${module.name}: ${name} lives on another device than ${storage[0]![0]}; make both with the same gpu`,
      );
    return { binding, storage: b.storage, offset: b.byteOffset, bytes: b.byteLength, writes: access !== 'read' };
  });
  const words = storage.length < bindings.length ? wordsOf(module.name, module.params!, params) : null;
  const uniform = words && gpu.uniforms.get(words);
  const own = launch(gpu, module, entry, grid, variant);
  const quick = other && 'flops' in other ? other : null;
  const standIn =
    quick && !own.pipeline.isCompiled
      ? { ...launch(gpu, module, quick.entry ?? entry, quick.grid, quick.variant), share: flops! / quick.flops }
      : null;
  return {
    kind: 'dispatch',
    ...own,
    quick: standIn,
    alternatives: other && 'others' in other ? alternativesOf(gpu, module, entry, own, other) : null,
    uniform,
    params: words,
    slots,
    flops: flops ?? null,
    elementwise: null,
    joinable: other && 'pieces' in other ? other : null,
    bindGroup: null,
  };
}

function alternativesOf(
  gpu: Gpu,
  module: KernelModule,
  entry: string,
  own: Launch,
  { key, name, others }: Alternatives,
): Dispatch['alternatives'] {
  if (others.length === 0) return null;
  const choice = gpu.choices.of(key, [name, ...others.map((o) => o.name)]);
  const launches = others.map((o) => launch(gpu, module, o.entry ?? entry, o.grid, o.variant));
  return { choice, launches: [own, ...launches] };
}

function launch(
  gpu: Gpu,
  module: KernelModule,
  entry: string,
  grid: readonly number[],
  variant: Partial<Record<string, number | string>>,
): Launch {
  const { pipeline, workgroup } = pipelineOf(gpu, module, entry, variant);
  return { pipeline, groups: groupsOf(grid, workgroup, module.name) };
}

/**
 * The pipeline of one entry point and variant, kept by the device; compiled when it is first submitted, or by
 * `prepare`.
 */
export function pipelineOf(
  gpu: Gpu,
  module: KernelModule,
  entry: string,
  variant: Partial<Record<string, number | string>> = {},
): Compiled {
  const label = `${module.name}.${entry}`;
  let key = label;
  for (const name in variant) key += `;${name}=${variant[name]}`;
  const known = gpu.pipelines.get(key);
  if (known) return known;
  const { code, constants, overrides } = specialize(module.code, variant, gpu.tuning.bodies);
  const { workgroup, bindings } = module.entries[entry]!;
  return keptPipeline(gpu, key, {
    label,
    // Labels and profiles name a variant by its numbers and short expressions, not by longer code.
    variant: Object.entries(variant)
      .filter(([, value]) => String(value).length < 32)
      .map(([name, value]) => `${name}=${value}`)
      .join(';'),
    // All variants of an entry share their layout, so that a bind group fits each of them.
    layout: { label, accesses: bindings.map(([, binding, access]) => [binding, access]) },
    code: () => code,
    entry,
    overrides,
    workgroup: workgroup.map((w) => constants[w] ?? Number.parseInt(w)),
  });
}

/** A kernel to be compiled. */
interface Source {
  label: string;
  variant?: string;
  /** Kernels with layouts of one label share them: what each binding is, 'uniform', 'read' or 'read_write'. */
  layout: { label: string; accesses: readonly (readonly [binding: number, access: string])[] };
  code: () => string;
  entry: string;
  overrides?: Record<string, number>;
  workgroup: number[];
}

/** The pipeline that the device keeps under `key`, built from `source` where there is none. */
export function keptPipeline(gpu: Gpu, key: string, source: Source): Compiled {
  return kept(gpu.pipelines, key, () => {
    const { label, variant = '', entry, overrides = {}, workgroup } = source;
    const layout = kept(gpu.layouts, source.layout.label, () =>
      gpu.device.createBindGroupLayout({
        label: source.layout.label,
        entries: source.layout.accesses.map(([binding, access]) => ({
          binding,
          visibility: STAGE_COMPUTE,
          buffer: { type: access === 'uniform' ? 'uniform' : access === 'read' ? 'read-only-storage' : 'storage' },
        })),
      }),
    );
    const describe = (): GPUComputePipelineDescriptor => {
      const code = source.code();
      return {
        label: `${label};${variant}`,
        layout: gpu.device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        // Entries and variants with the same text are parsed once.
        compute: {
          module: kept(gpu.shaders, code, () =>
            gpu.device.createShaderModule({ label: label.split('.')[0]!, code: withSubgroups(code) }),
          ),
          entryPoint: entry,
          constants: overrides,
        },
      };
    };
    return { pipeline: new Pipeline(gpu.device, label, variant, layout, describe), workgroup };
  });
}

function kept<T>(map: Map<string, T>, key: string, make: () => T): T {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}

/** Quads leave loops and functions together, which the compiler cannot see. */
function withSubgroups(code: string): string {
  return code.includes('quadBroadcast(') ? `enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n${code}` : code;
}

/** The workgroups of a grid of invocations. `name` is for errors. */
export function groupsOf(
  grid: readonly number[],
  workgroup: readonly number[],
  name: string,
): [number, number, number] {
  const [x, y = 1, z = 1] = grid.map((n, i) => Math.ceil(n / workgroup[i]!));
  if (grid.length === 1 && x! > 65_535) return [FOLD, Math.ceil(x! / FOLD), 1];
  if (x! > 65_535 || y > 65_535 || z > 65_535)
    throw new RangeError(`${name}: grid ${grid} needs ${[x, y, z]} workgroups, the limit is 65535 a dimension`);
  return [x!, y, z];
}

/** The words of a struct with these values in its fields; `what` names it for errors. Throws TypeError on a gap. */
export function wordsOf(
  what: string,
  { size, fields }: StructLayout,
  values: Readonly<Record<string, number | readonly number[]>>,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(size / 4);
  const floats = new Float32Array(words.buffer);
  for (const name in fields) {
    const [offset, type] = fields[name]!;
    const value = values[name];
    const target = type === 'f32' || type.endsWith('f') || type.includes('<f32>') ? floats : words;
    if (typeof value === 'number') target[offset / 4] = value;
    else if (value) target.set(value, offset / 4);
    else throw new TypeError(`${what}: parameter ${name} is missing`);
  }
  return words;
}
