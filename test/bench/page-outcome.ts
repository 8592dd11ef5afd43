import type { PageGlobals, PageOutcome } from '../../src/cli/page.ts';
import { kindOf } from '../../src/gpu/adapter.ts';

/** Lets Node call `job` in this page. */
export function answer<O>(job: (options: O, line: (text: string) => void) => Promise<unknown>): void {
  const page = globalThis as unknown as PageGlobals;
  page.evenkeelRun = async ({ options }): Promise<PageOutcome> => {
    try {
      const value = await job(options as O, (text) => void page.evenkeelEvent({ type: 'line', text }));
      return { ok: true, value: JSON.stringify(value), files: [] };
    } catch (error) {
      const { name = 'Error', message = String(error), stack = '' } = error as Partial<Error>;
      return { ok: false, name, message, stack };
    }
  };
}

/** From now on every engine of this page gets an adapter of this kind, or none. */
export function pinAdapter(kind: 'hardware' | 'software' | null): void {
  if (!kind) return;
  const request = navigator.gpu.requestAdapter.bind(navigator.gpu);
  navigator.gpu.requestAdapter = async (options) => {
    for (const forceFallbackAdapter of kind === 'software' ? [true, false] : [false]) {
      const adapter = await request({ ...options, forceFallbackAdapter });
      if (adapter && kindOf(adapter.info) === kind) return adapter;
    }
    return null;
  };
}

/** Collects the errors of all devices that are opened from now on; the function it returns takes them. */
export function watchDevices(): () => string[] {
  let errors: string[] = [];
  const open = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, descriptor) {
    const device = await open.call(this, descriptor);
    device.addEventListener(
      'uncapturederror',
      (event) => void errors.push(`${descriptor?.label ?? 'a peer'}: ${event.error.message}`),
    );
    return device;
  };
  return () => {
    const taken = errors;
    errors = [];
    return taken;
  };
}
