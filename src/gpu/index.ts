export { init, currentGpu, Gpu, type InitOptions } from './device.ts';
export type { AdapterDescription } from './adapter.ts';
export type { MemoryReport } from './memory.ts';
export type { Choice, ChoiceReport, ProductTraits, Tile, Tuning, TuningFile, WorkgroupTile } from './tuning/index.ts';
export * from './errors.ts';
export { defineKernel, type Bindable, type Kernel, type KernelModule } from './kernel.ts';
export { Profile, type KernelProfile, type ProfiledDispatch, type ProfiledSubmit } from './profile-report.ts';
