let nextId = 1;

/** One entry point of a shader with the layout of its bindings. Compiled when it is first needed, or ahead of that. */
export class Pipeline {
  readonly label: string;
  /** How the shader was specialised, as one line of text. */
  readonly variant: string;
  readonly layout: GPUBindGroupLayout;
  readonly id = nextId++;
  readonly #device: GPUDevice;
  readonly #describe: () => GPUComputePipelineDescriptor;
  #raw: GPUComputePipeline | null = null;

  constructor(device: GPUDevice, label: string, variant: string, layout: GPUBindGroupLayout, describe: () => GPUComputePipelineDescriptor) {
    this.#device = device;
    this.label = label;
    this.variant = variant;
    this.layout = layout;
    this.#describe = describe;
  }

  get isCompiled(): boolean {
    return this.#raw !== null;
  }

  /** The compiled pipeline; compiles it now if nobody did. */
  get raw(): GPUComputePipeline {
    return (this.#raw ??= this.#device.createComputePipeline(this.#describe()));
  }

  /** Compiles without blocking; several at once use all cores. */
  async compile(): Promise<void> {
    if (this.#raw) return;
    const compiled = await this.#device.createComputePipelineAsync(this.#describe());
    this.#raw ??= compiled;
  }
}
