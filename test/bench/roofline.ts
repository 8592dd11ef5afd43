/**
 * Measured limits of an adapter: 10^9 multiply-adds, and 10^9 bytes loaded and copied (read plus written), a second.
 */
export interface Peaks {
  multiplyAdds: number;
  loads: number;
  copies: number;
}

const QUADS = 1 << 22; // 64 MiB
const THREADS = 1 << 16;
const TURNS = 256;
const HEAD =
  '@group(0) @binding(0) var<storage, read> x: array<vec4f>;\n@group(0) @binding(1) var<storage, read_write> ' +
  'y: array<vec4f>;\n';
const MAIN = '@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {';
const ACCUMULATORS = Array.from({ length: 8 }, (_, i) => `a${i}`);

const KERNELS = {
  multiplyAdds: `${HEAD}${MAIN} let s = x[id.x]; ${ACCUMULATORS.map((a, i) => `var ${a} = s + ${i}.0;`).join(' ')}
    for (var t = 0u; t < ${TURNS}u; t++) { ${ACCUMULATORS.map((a) => `${a} = fma(${a}, s, s);`).join(' ')} } y[id.x] = ${ACCUMULATORS.join(' + ')}; }`,
  loads:
    `${HEAD}${MAIN} var a = vec4f(0.0); for (var t = 0u; t < ${QUADS / THREADS}u; t++) { a += x[t * ` +
    `${THREADS}u + id.x]; } y[id.x] = a; }`,
  copies:
    `${HEAD}${MAIN} for (var t = 0u; t < ${QUADS / THREADS}u; t++) { let i = t * ${THREADS}u + id.x; y[i] = ` +
    'x[i]; } }',
};
const WORK = { multiplyAdds: THREADS * TURNS * ACCUMULATORS.length * 4, loads: QUADS * 16, copies: QUADS * 32 };

/** The best of several runs of each kernel, waited for. */
export async function measurePeaks(device: GPUDevice): Promise<Peaks> {
  const [x, y] = [1, 2].map(() => device.createBuffer({ size: QUADS * 16, usage: 0x80 })) as [GPUBuffer, GPUBuffer];
  const measure = async (name: keyof Peaks): Promise<number> => {
    const pipeline = device.createComputePipeline({
      layout: 'auto',
      compute: { module: device.createShaderModule({ code: KERNELS[name] }) },
    });
    const bindGroup = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [x, y].map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    let best = Infinity;
    for (let run = 0; run < 8; run++) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, bindGroup);
      for (let i = 0; i < 4; i++) pass.dispatchWorkgroups(THREADS / 64);
      pass.end();
      const start = performance.now();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      best = Math.min(best, (performance.now() - start) / 4);
    }
    return WORK[name] / best / 1e6;
  };
  try {
    return {
      multiplyAdds: await measure('multiplyAdds'),
      loads: await measure('loads'),
      copies: await measure('copies'),
    };
  } finally {
    x.destroy();
    y.destroy();
  }
}

/**
 * The least ms that the work can take on an adapter with these peaks: its arithmetic at the multiply-add peak or its
 * bytes at the copy peak, whichever is longer; null where it says nothing of either.
 */
export function leastTime(
  { multiplyAdds, copies }: Pick<Peaks, 'multiplyAdds' | 'copies'>,
  { operations, bytes }: { operations: number | null; bytes: number | null },
): number | null {
  if (operations === null && bytes === null) return null;
  return Math.max((operations ?? 0) / 2 / multiplyAdds, (bytes ?? 0) / copies) / 1e6;
}
