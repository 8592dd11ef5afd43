import { NoWebGPUError } from './errors.ts';

/** How WebGPU names an adapter; browsers may leave each of these empty. */
export interface AdapterIdentity {
  vendor: string;
  architecture: string;
  device: string;
}

/** What is known of the adapter in use. */
export interface AdapterDescription extends AdapterIdentity {
  name: string;
  kind: 'hardware' | 'software';
}

/** The `GPU` object of the page or worker; where there is none, an error that says why. */
export function hostGpu(): GPU {
  const gpu = globalThis.navigator?.gpu;
  if (gpu) return gpu;
  const isNode = typeof process !== 'undefined' && !!process.versions?.node && typeof window === 'undefined';
  const reason = isNode
    ? 'Node runs the build for browsers here: resolve evenkeel under the condition `node`, or pass { gpu }'
    : globalThis.isSecureContext === false
      ? 'this page is not a secure context: serve it over https or from localhost'
      : 'this browser has no WebGPU: use Chrome or Edge 113+, Safari 26+ or Firefox 141+';
  throw new NoWebGPUError(`WebGPU is not available: ${reason}`);
}

/** The wanted kind of adapter; by default a hardware one, else the software one. */
export async function findAdapter(api: GPU, wanted?: 'hardware' | 'software'): Promise<GPUAdapter> {
  const tries: GPURequestAdapterOptions[] =
    wanted === 'software'
      ? [{ forceFallbackAdapter: true }, {}]
      : [{ powerPreference: 'high-performance' }, { forceFallbackAdapter: true }];
  for (const options of tries) {
    const adapter = await api.requestAdapter(options);
    if (adapter && (!wanted || kindOf(adapter.info) === wanted)) return adapter;
  }
  throw new NoWebGPUError(
    `no ${wanted ?? 'hardware or software'} WebGPU adapter: in Chrome on Linux start it with ` +
      '--enable-unsafe-webgpu (it brings the software adapter SwiftShader), ' +
      'elsewhere update the graphics driver or turn on hardware acceleration; in Node install a Vulkan ' +
      'driver or point VK_ICD_FILENAMES at the ICD file of SwiftShader',
  );
}

/** Software adapters say so, or are known by name. */
export function kindOf(info: GPUAdapterInfo): 'hardware' | 'software' {
  const text = `${info.vendor} ${info.architecture} ${info.device} ${info.description}`;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(text) ? 'software' : 'hardware';
}

/** What there is to say of the adapter of a device; without `info` it counts as hardware. */
export function describe(info: GPUAdapterInfo | undefined): AdapterDescription {
  const name = info
    ? [info.description || info.device, info.vendor, info.architecture].filter(Boolean).join(', ') || 'unnamed adapter'
    : 'unknown adapter';
  const { vendor = '', architecture = '', device = '' } = info ?? {};
  return { name, vendor, architecture, device, kind: info ? kindOf(info) : 'hardware' };
}
