const RAISED = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
] as const;

const WANTED = ['timestamp-query', 'subgroups', 'shader-f16'] as const;

/** A device descriptor with the adapter's own limits and the optional features that kernels may use. */
export function raisedLimits(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits: Record<string, number> = {};
  for (const name of RAISED) requiredLimits[name] = adapter.limits[name];
  return { label: 'evenkeel', requiredLimits, requiredFeatures: WANTED.filter((f) => adapter.features.has(f)) };
}
