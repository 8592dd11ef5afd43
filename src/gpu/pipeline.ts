import { GpuError } from './errors.ts';

/** One entry point of a shader with the layout of its bindings. Compiled when it is first needed, or ahead of that. */
export class Pipeline {
  /** Shader and entry point. Pipelines of one label share their layout. */
  readonly label: string;
  /** How the shader was specialised, as one line of text. */
  readonly variant: string;
  readonly layout: GPUBindGroupLayout;
  readonly #device: GPUDevice;
  readonly #describe: () => GPUComputePipelineDescriptor;
  #raw: GPUComputePipeline | null = null;
  #compiling: Promise<void> | null = null;
  #postponed = 0;

  constructor(
    device: GPUDevice,
    label: string,
    variant: string,
    layout: GPUBindGroupLayout,
    describe: () => GPUComputePipelineDescriptor,
  ) {
    this.#device = device;
    this.label = label;
    this.variant = variant;
    this.layout = layout;
    this.#describe = describe;
  }

  get isCompiled(): boolean {
    return this.#raw !== null;
  }

  /** Another has worked in its place, and it is not compiled yet. */
  get isPostponed(): boolean {
    return this.#postponed > 0 && !this.#raw;
  }

  /** The compiled pipeline; compiles it now if it is not. */
  get raw(): GPUComputePipeline {
    return (this.#raw ??= this.#device.createComputePipeline(this.#describe()));
  }

  /** Compiles without blocking; several at once use all cores. */
  compile(): Promise<void> {
    if (this.#raw) return Promise.resolve();
    this.#compiling ??= this.#device.createComputePipelineAsync(this.#describe()).then(
      (compiled) => void (this.#raw ??= compiled),
      (error: Error) => {
        // The next try compiles anew.
        this.#compiling = null;
        throw new GpuError(`${this.label}: the kernel was not compiled: ${error.message}`);
      },
    );
    return this.#compiling;
  }

  /** Forgets what was compiled, since work that used it has failed: the next use compiles it anew. */
  reset(): void {
    this.#raw = this.#compiling = null;
    this.#postponed = 0;
  }

  /**
   * Whether it should do a piece of work, or leave it to another that is slower but compiled sooner. `share`: the piece
   * over the work that pays for the compilation. A piece that pays alone is not left; smaller ones are, and when
   * together they would have paid, it compiles meanwhile.
   */
  takes(share: number): boolean {
    if (this.#raw || (share >= 1 && !this.#compiling)) return true;
    this.#postponed += share;
    // A compilation that fails is retried at the next piece, in sight of the device's error scopes.
    if (this.#postponed >= 1 && !this.#compiling) this.compile().catch(() => void (this.#postponed = Infinity));
    return this.#postponed === Infinity;
  }
}

/** A pipeline and the workgroup of its entry point. */
export interface Compiled {
  pipeline: Pipeline;
  workgroup: number[];
}
