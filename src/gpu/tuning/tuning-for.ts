import type { AdapterDescription } from '../adapter.ts';
import { defaultsOf } from './defaults.ts';
import { hardwareTuning } from './hardware.ts';
import { softwareTuning } from './software.ts';
import type { Tuning } from './tuning.ts';

/** The tuning of an adapter, or the one that is asked for by kind, whatever the adapter. */
export function tuningFor(
  adapter: AdapterDescription,
  features: { has(feature: string): boolean },
  wanted: 'software' | 'hardware' = adapter.kind,
): Tuning {
  if (wanted === 'hardware') return hardwareTuning(defaultsOf(adapter));
  const isSwiftShader = /swiftshader/i.test(adapter.name);
  return softwareTuning({ isSwiftShader, quads: isSwiftShader && features.has('subgroups') });
}
