import type { AdapterIdentity } from '../adapter.ts';

/** The defaults for a family of GPUs: what a kernel may cost there until it is measured on the device itself. */
export interface FamilyDefaults {
  /** As WebGPU names the adapter: its vendor, and the beginning of its architecture. Default: any. */
  readonly vendor?: string;
  readonly architecture?: RegExp;
  /** Most sums that an invocation keeps in registers: tiles with more come last. */
  readonly sums: number;
  /** Workgroups of a product that keep the device busy: with fewer, smaller tiles come first. */
  readonly groups: number;
  /** Why, and how it is known. */
  readonly because: string;
}

/** The first row that an adapter matches holds. Nothing here was measured on a device. */
export const FAMILIES: readonly FamilyDefaults[] = [
  {
    vendor: 'amd',
    architecture: /^rdna/,
    sums: 64,
    groups: 128,
    because: 'Mesa compiles 64 sums to 168 registers of 256, without spills: 93 % multiply-adds on RDNA 2 and 3',
  },
  {
    vendor: 'amd',
    sums: 32,
    groups: 128,
    because: 'GCN shares 256 registers among the waves of a lane: 64 sums leave one wave, which hides no load',
  },
  {
    vendor: 'nvidia',
    sums: 64,
    groups: 256,
    because: 'a thread has up to 255 registers, and large cards have 80 multiprocessors and more to keep busy',
  },
  {
    vendor: 'intel',
    sums: 32,
    groups: 64,
    because: 'a hardware thread of 16 lanes has 64 registers a lane: 64 sums would spill',
  },
  {
    vendor: 'apple',
    sums: 32,
    groups: 64,
    because: 'a core has some 208 KB of registers: 64 sums and their operands leave half of its threads',
  },
  {
    vendor: 'arm',
    sums: 16,
    groups: 32,
    because: 'a thread has 64 registers, and workgroup memory lies in the ordinary cache',
  },
  {
    vendor: 'qualcomm',
    sums: 16,
    groups: 32,
    because: 'phones have few cores; small blocks keep enough waves on each',
  },
];

/** For adapters that are in no row, or say nothing. */
export const UNKNOWN: FamilyDefaults = {
  sums: 64,
  groups: 128,
  because: 'nothing is known of this adapter: the order for large GPUs',
};

/** The defaults of an adapter. */
export function defaultsOf({ vendor, architecture }: AdapterIdentity): FamilyDefaults {
  const isOf = (family: FamilyDefaults): boolean =>
    family.vendor === vendor.toLowerCase() && (family.architecture?.test(architecture.toLowerCase()) ?? true);
  return FAMILIES.find(isOf) ?? UNKNOWN;
}
