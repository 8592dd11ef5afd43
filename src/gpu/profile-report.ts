/** One dispatch as it was profiled. Times in microseconds on the device's own clock; null without timestamps. */
export interface ProfiledDispatch {
  /** Shader and entry point. */
  readonly name: string;
  /** How the shader was specialised; '' where it is as on disk. */
  readonly variant: string;
  readonly workgroups: readonly [number, number, number];
  /** Sum of the sizes of its bindings. */
  readonly bytes: number;
  readonly flops: number | null;
  readonly begin: number | null;
  readonly end: number | null;
}

/** One submit on the host: when encoding began and when it ended, in microseconds from the start of the profile. */
export interface ProfiledSubmit {
  readonly begin: number;
  readonly end: number;
  readonly dispatches: number;
}

/** All launches of one kernel in one variant. */
export interface KernelProfile {
  name: string;
  variant: string;
  count: number;
  /** Time on the device; null where it was not measured. */
  gpuMs: number | null;
  /** Sizes of all bindings, each once per launch, whether it was read, written or both, in part or as a whole. */
  bytes: number;
  /** Arithmetic operations, where the kernel states them (products, convolutions, distances); else null. */
  flops: number | null;
  /** flops / bytes. */
  intensity: number | null;
  /** Part of the device time of the whole profile. */
  share: number | null;
}

/** What `gpu.profile` found. Plain figures, a table, and a trace for chrome://tracing or Perfetto. */
export class Profile<T = unknown> {
  /** What the profiled function returned. */
  readonly value: T;
  /** From its call until the device was done; includes compilation, when a kernel ran for the first time. */
  readonly wallMs: number;
  readonly submits: number;
  readonly dispatches: number;
  /** By device time, the largest first; by bytes where there are no times. */
  readonly kernels: readonly KernelProfile[];
  /** Sum over the kernels; null where it was not measured. */
  readonly gpuMs: number | null;
  readonly #launches: readonly ProfiledDispatch[];
  readonly #submits: readonly ProfiledSubmit[];

  constructor(value: T, wallMs: number, submits: readonly ProfiledSubmit[], launches: readonly ProfiledDispatch[]) {
    this.value = value;
    this.wallMs = wallMs;
    this.submits = submits.length;
    this.dispatches = launches.length;
    this.kernels = kernelsOf(launches);
    this.gpuMs = total(this.kernels.map((k) => k.gpuMs));
    this.#launches = launches;
    this.#submits = submits;
  }

  /** One sentence on what is missing; null when nothing is. */
  get note(): string | null {
    if (this.gpuMs !== null) return null;
    return this.#launches.some((l) => l.begin !== null)
      ? 'the clock of the device ran backwards: some kernels have no device time'
      : 'the device has no timestamp queries: kernels have no device time';
  }

  /** The kernels as text in columns of fixed width, under one line on the whole. */
  table(): string {
    const counted = (n: number, what: string): string =>
      `${n} ${what}${n === 1 ? '' : what.endsWith('h') ? 'es' : 's'}`;
    const whole =
      `wall ${this.wallMs.toFixed(2)} ms, device ${fixed(this.gpuMs, 2)} ms, ` +
      `${counted(this.submits, 'submit')}, ${counted(this.dispatches, 'dispatch')}`;
    const head = ['kernel', 'count', 'ms', 'share %', 'MB', 'Mflop', 'flop/byte', 'Gflop/s', 'variant'];
    const rows = this.kernels.map((k) => [
      k.name,
      String(k.count),
      fixed(k.gpuMs, 3),
      fixed(k.share && 100 * k.share, 1),
      fixed(k.bytes / 1e6, 3),
      fixed(k.flops && k.flops / 1e6, 3),
      fixed(k.intensity, 2),
      fixed(k.flops && k.gpuMs ? k.flops / k.gpuMs / 1e6 : null, 2),
      k.variant,
    ]);
    const widths = head.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]!.length)));
    const line = (cells: readonly string[]): string =>
      cells
        .map((cell, c) => (c === 0 ? cell.padEnd(widths[c]!) : c === 8 ? cell : cell.padStart(widths[c]!)))
        .join('  ')
        .trimEnd();
    return [whole, ...(this.note ? [this.note] : []), '', line(head), ...rows.map(line)].join('\n');
  }

  /**
   * The profile in the JSON object format of Chrome's trace viewer. Host and device are two processes, because their
   * clocks are not the same: the host's track begins with the call, the device's with its first kernel. Times in
   * microseconds.
   */
  trace(): string {
    const named = (pid: number, name: string): object => ({
      ph: 'M',
      name: 'process_name',
      pid,
      tid: 0,
      args: { name },
    });
    const span = (pid: number, name: string, cat: string, begin: number, end: number, args: object): object => ({
      ph: 'X',
      name,
      cat,
      pid,
      tid: 0,
      ts: begin,
      dur: end - begin,
      args,
    });
    const timed = this.#launches.filter((l) => l.begin !== null && l.end !== null && l.end >= l.begin);
    const origin = timed.reduce((least, l) => Math.min(least, l.begin!), Infinity);
    const traceEvents = [
      named(1, 'host'),
      span(1, 'profile', 'host', 0, 1000 * this.wallMs, { submits: this.submits, dispatches: this.dispatches }),
      ...this.#submits.map((s) => span(1, 'encode and submit', 'host', s.begin, s.end, { dispatches: s.dispatches })),
      ...(timed.length > 0 ? [named(2, 'device, from its first kernel on')] : []),
      ...timed.map(({ name, variant, workgroups, bytes, flops, begin, end }) =>
        span(2, name, 'kernel', begin! - origin, end! - origin, { variant, workgroups, bytes, flops }),
      ),
    ];
    return JSON.stringify({ displayTimeUnit: 'ms', traceEvents });
  }
}

function kernelsOf(launches: readonly ProfiledDispatch[]): KernelProfile[] {
  const groups = new Map<string, ProfiledDispatch[]>();
  for (const l of launches) {
    const key = `${l.name};${l.variant}`;
    groups.set(key, [...(groups.get(key) ?? []), l]);
  }
  const times = new Map([...groups].map(([key, list]) => [key, total(list.map(msOf))]));
  const whole = total([...times.values()]);
  const kernels = [...groups].map(([key, list]): KernelProfile => {
    const { name, variant } = list[0]!;
    const gpuMs = times.get(key)!;
    const bytes = list.reduce((sum, l) => sum + l.bytes, 0);
    const flops = total(list.map((l) => l.flops));
    return {
      name,
      variant,
      count: list.length,
      gpuMs,
      bytes,
      flops,
      intensity: flops === null ? null : flops / bytes,
      share: whole && gpuMs !== null ? gpuMs / whole : null,
    };
  });
  return kernels.sort((a, b) => (b.gpuMs ?? 0) - (a.gpuMs ?? 0) || b.bytes - a.bytes);
}

/** Duration; null where a time is missing, or the clock ran backwards, as WebGPU allows. */
function msOf({ begin, end }: ProfiledDispatch): number | null {
  return begin === null || end === null || end < begin ? null : (end - begin) / 1000;
}

/** Sum; null when a part is unknown. */
function total(parts: readonly (number | null)[]): number | null {
  return parts.reduce((sum, part) => (sum === null || part === null ? null : sum + part), 0);
}

function fixed(x: number | null, digits: number): string {
  return x === null ? '–' : x.toFixed(digits);
}
