/** A call of WebGPU that can be made to fail, and how. */
export interface Point {
  name: string;
  /** The object that has the method. */
  of: (device: GPUDevice) => object;
  method: string;
  /** What is called in place of the k-th call, with the true method and its arguments. */
  fail: (call: (...args: any[]) => any, args: any[], device: GPUDevice) => unknown;
}

const thrown = (): never => {
  throw new Error('injected');
};
const rejected = (): Promise<never> => Promise.reject(new Error('injected'));
/** An encoder that was used wrongly, so that its buffer is invalid. */
const invalidCommands = (device: GPUDevice): GPUCommandBuffer => {
  const encoder = device.createCommandEncoder();
  encoder.popDebugGroup();
  return encoder.finish();
};

const self = (device: GPUDevice): object => device;
const queue = (device: GPUDevice): object => device.queue;
const buffers = (): object => GPUBuffer.prototype;

/** Every call on which results depend: made to throw or reject, or to give an invalid object as the device would. */
export const POINTS: readonly Point[] = [
  { name: 'createBuffer throws', of: self, method: 'createBuffer', fail: thrown },
  {
    name: 'createBuffer gives an invalid buffer',
    of: self,
    method: 'createBuffer',
    fail: (call, [d]) => call({ ...d, usage: 0 }),
  },
  { name: 'createBindGroup throws', of: self, method: 'createBindGroup', fail: thrown },
  {
    name: 'createBindGroup gives an invalid group',
    of: self,
    method: 'createBindGroup',
    fail: (call, [d]) => call({ ...d, entries: [] }),
  },
  { name: 'createComputePipeline throws', of: self, method: 'createComputePipeline', fail: thrown },
  {
    name: 'createComputePipeline gives an invalid pipeline',
    of: self,
    method: 'createComputePipeline',
    fail: (call, [d]) => call({ ...d, compute: { ...d.compute, entryPoint: 'nowhere' } }),
  },
  { name: 'submit throws', of: queue, method: 'submit', fail: thrown },
  {
    name: 'submit is refused',
    of: queue,
    method: 'submit',
    fail: (call, _, device) => call([invalidCommands(device)]),
  },
  { name: 'writeBuffer throws', of: queue, method: 'writeBuffer', fail: thrown },
  {
    name: 'writeBuffer is refused',
    of: queue,
    method: 'writeBuffer',
    fail: (call, [b, , data]) => call(b, 2 ** 40, data),
  },
  { name: 'mapAsync rejects', of: buffers, method: 'mapAsync', fail: rejected },
  { name: 'popErrorScope rejects', of: self, method: 'popErrorScope', fail: (call) => (void call(), rejected()) },
];

/** Calls of a point while `body` runs; the `at`-th (from 1) fails. */
export async function inject<T>(
  device: GPUDevice,
  point: Point,
  at: number,
  body: () => Promise<T>,
): Promise<{ calls: number; outcome: PromiseSettledResult<T> }> {
  const target = point.of(device) as Record<string, unknown>;
  const own = Object.getOwnPropertyDescriptor(target, point.method);
  const original = target[point.method] as (...args: unknown[]) => unknown;
  let calls = 0;
  target[point.method] = function (this: object, ...args: unknown[]): unknown {
    const call = (...a: unknown[]): unknown => original.apply(this, a);
    return ++calls === at ? point.fail(call, args, device) : call(...args);
  };
  try {
    const [outcome] = await Promise.allSettled([(async () => body())()]);
    return { calls, outcome: outcome! };
  } finally {
    if (own) Object.defineProperty(target, point.method, own);
    else delete target[point.method];
  }
}
