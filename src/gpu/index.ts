export { init, currentGpu, Gpu, type InitOptions } from './device.ts';
export type { AdapterDescription } from './adapter.ts';
export type { MemoryReport } from './memory.ts';
export * from './errors.ts';
export { defineKernel, type Kernel, type KernelModule } from './kernel.ts';
export type { Bindable } from './storage.ts';
export { Profile, type KernelProfile, type ProfiledDispatch, type ProfiledSubmit } from './profile-report.ts';
