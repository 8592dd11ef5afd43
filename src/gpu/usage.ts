/** WebGPU's flag values, by number: a host that passes its own `GPU` object need not define the global constants. */
export const USAGE = {
  MAP_READ: 0x01,
  COPY_SRC: 0x04,
  COPY_DST: 0x08,
  UNIFORM: 0x40,
  STORAGE: 0x80,
  QUERY_RESOLVE: 0x200,
} as const;

/** GPUMapMode.READ. */
export const MAP_READ = 0x01;

/** GPUShaderStage.COMPUTE. */
export const STAGE_COMPUTE = 0x04;
