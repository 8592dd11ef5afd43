/// <reference types="vite/client" />
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { init, type Gpu } from 'evenkeel';

export let gpu: Gpu;

let before = 0;
let checksMemory = true;

/** For a test that leaves tensors to the end of the file on purpose. */
export function keepsMemory(): void {
  checksMemory = false;
}

/**
 * One device a file. A missing adapter fails the file. Every test runs inside error scopes and must return device
 * memory to what it was, unless it says `keepsMemory()`.
 */
export function useGpu(): void {
  beforeAll(async () => {
    const tuning = import.meta.env.EVENKEEL_TUNING as 'hardware' | 'software' | '';
    // Trials of kernels would add dispatches, which tests count.
    gpu = await init({ autotune: false, ...(tuning ? { tuning } : {}) });
  });

  beforeEach(async () => {
    checksMemory = true;
    await gpu.sync();
    before = gpu.memory().live;
    gpu.device.pushErrorScope('validation');
    gpu.device.pushErrorScope('out-of-memory');
    gpu.device.pushErrorScope('internal');
  });

  afterEach(async () => {
    await gpu.sync();
    for (let i = 0; i < 3; i++) {
      const error = await gpu.device.popErrorScope();
      expect(error?.message ?? null, 'uncaptured device error').toBeNull();
    }
    if (checksMemory) expect(gpu.memory().live, 'device memory not returned').toBe(before);
  });

  afterAll(() => gpu?.destroy());
}

useGpu();
