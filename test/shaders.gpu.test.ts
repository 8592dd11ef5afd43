/// <reference types="vite/client" />
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KernelModule } from 'evenkeel';
import { specialize } from '../src/gpu/specialize.ts';
import { gpu } from './support/gpu.ts';

// A second device with the limits that every adapter grants.
let plain: GPUDevice;
beforeAll(async () => {
  const adapter = await navigator.gpu.requestAdapter({ forceFallbackAdapter: gpu.adapter.kind === 'software' });
  plain = await adapter!.requestDevice();
});
afterAll(() => plain.destroy());

const modules = import.meta.glob<KernelModule>('../shaders/*.wgsl', { eager: true, import: 'module' });

test('every shader goes by the name of its file', () => {
  expect(Object.keys(modules).length).toBeGreaterThan(40);
  for (const [path, { name }] of Object.entries(modules)) expect(path).toBe(`../shaders/${name}.wgsl`);
});

describe.each(Object.values(modules))('$name', (module) => {
  test('compiles without a message, as it lies on disk and specialised', async () => {
    for (const code of [
      module.code,
      specialize(module.code, {}, 'hardware').code,
      specialize(module.code, {}, 'software').code,
    ]) {
      const { messages } = await gpu.device.createShaderModule({ code }).getCompilationInfo();
      expect(messages.map((m) => `${m.lineNum}: ${m.message}`)).toEqual([]);
    }
  });

  test.each(Object.entries(module.entries))(
    'entry %s fits the default limits: 8 storage buffers, 256 invocations',
    async (entry, { workgroup, bindings }) => {
      const { code, constants } = specialize(module.code, {});
      expect(bindings.filter(([, , access]) => access !== 'uniform').length).toBeLessThanOrEqual(8);
      expect(workgroup.map((w) => constants[w] ?? Number.parseInt(w)).reduce((n, w) => n * w, 1)).toBeLessThanOrEqual(
        256,
      );
      expect(plain.limits.maxStorageBuffersPerShaderStage).toBeLessThanOrEqual(10);
      const shader = plain.createShaderModule({ code });
      expect((await shader.getCompilationInfo()).messages.length).toBe(0);
      await plain.createComputePipelineAsync({ layout: 'auto', compute: { module: shader, entryPoint: entry } });
    },
  );
});
