/** No usable WebGPU adapter. The message says why and what to do. */
export class NoWebGPUError extends Error {
  override name = 'NoWebGPUError';
}

/** An argument has the wrong shape. */
export class ShapeError extends Error {
  override name = 'ShapeError';
}

/** An argument has the wrong element type. */
export class DTypeError extends Error {
  override name = 'DTypeError';
}

/** A tensor, dataset or device was used after it was freed. */
export class DisposedError extends Error {
  override name = 'DisposedError';
}

/** The device went away; pending work is lost. */
export class DeviceLostError extends Error {
  override name = 'DeviceLostError';
}

/** The device has no room for an allocation. */
export class OutOfMemoryError extends Error {
  override name = 'OutOfMemoryError';
}

/** WebGPU rejected work that was recorded since the last read. */
export class GpuError extends Error {
  override name = 'GpuError';
}

/** A value that must be finite is not. */
export class NonFiniteError extends Error {
  override name = 'NonFiniteError';
}
