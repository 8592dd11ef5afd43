import type { AdapterIdentity } from '../adapter.ts';

/** Goes up when kernels or the meaning of keys change: files of another version are of no use. */
export const TUNING_VERSION = 1;

/** What was found out on a device, to be kept as JSON and given to `init({ tuned })`. */
export interface TuningFile {
  readonly evenkeelTuning: number;
  /** Vendor, architecture and device as WebGPU names them. */
  readonly adapter: AdapterIdentity;
  /** Limits that kernels depend on. */
  readonly limits: Readonly<Record<string, number>>;
  /** The kernel chosen for each kind of work. */
  readonly choices: Readonly<Record<string, string>>;
}

/** Limits that decide which kernels can run. */
const LIMITS = ['maxComputeWorkgroupStorageSize', 'maxComputeInvocationsPerWorkgroup'] as const;

/** The file of a device. */
export function tuningFile(
  adapter: AdapterIdentity,
  limits: GPUSupportedLimits,
  choices: Readonly<Record<string, string>>,
): TuningFile {
  return { evenkeelTuning: TUNING_VERSION, adapter, limits: limitsOf(limits), choices };
}

/**
 * The choices in a file that hold on this device, or a sentence that says why none does. Throws a TypeError when it is
 * no tuning file.
 */
export function loadedChoices(
  file: unknown,
  adapter: AdapterIdentity,
  limits: GPUSupportedLimits,
): Map<string, string> | string {
  const { evenkeelTuning: version, adapter: of, limits: had, choices } = expectFile(file);
  if (version !== TUNING_VERSION)
    return `the tuning file is of version ${version}, this evenkeel reads ${TUNING_VERSION}: tune anew`;
  const here = nameOf(adapter);
  // Browsers may keep the names of an adapter to themselves; then a file could be of any.
  if (!here) return 'this adapter does not tell its vendor and architecture, so no tuning file is known to be of it';
  const there = nameOf(of) || 'without a name';
  if (there !== here) return `the tuning file is of the adapter ${there}, this is ${here}`;
  for (const [name, value] of Object.entries(limitsOf(limits)))
    if (had[name] !== value) return `the tuning file is of a device with ${name} ${had[name]}, this has ${value}`;
  return new Map(Object.entries(choices));
}

function expectFile(file: unknown): TuningFile {
  const isRecord = (v: unknown): v is Record<string, unknown> =>
    typeof v === 'object' && v !== null && !Array.isArray(v);
  const isOf = (v: unknown, type: string): boolean => isRecord(v) && Object.values(v).every((x) => typeof x === type);
  if (
    isRecord(file) &&
    typeof file.evenkeelTuning === 'number' &&
    isOf(file.adapter, 'string') &&
    isOf(file.limits, 'number') &&
    isOf(file.choices, 'string')
  )
    return file as unknown as TuningFile;
  throw new TypeError(
    'init: tuned is no tuning file: expected what gpu.tuned() gave, with evenkeelTuning, adapter, limits and ' +
      'choices',
  );
}

function nameOf({ vendor = '', architecture = '', device = '' }: Partial<AdapterIdentity>): string {
  return vendor || architecture ? [vendor, architecture, device].filter(Boolean).join(' ') : '';
}

function limitsOf(limits: GPUSupportedLimits): Record<string, number> {
  return Object.fromEntries(LIMITS.map((name) => [name, limits[name]]));
}
