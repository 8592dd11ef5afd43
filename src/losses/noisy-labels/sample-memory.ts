import { ShapeError } from '../../gpu/errors.ts';
import { writeRows } from '../../ops/batch.ts';
import { indexSelect } from '../../ops/gather.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { deviceTable } from '../device-table.ts';
import { expectState } from '../loss-options.ts';

/** A row of numbers for each sample of the training set, on the device from step to step. */
export interface SampleMemory {
  /** Rows of the samples `index`, (batch, width). */
  rows(index: Tensor<'u32'>): Tensor;
  /** Overwrites those rows. */
  write(index: Tensor<'u32'>, rows: Tensor): void;
  /** All of it, (samples, width), on the host; JSON makes a list of it. */
  read(): Promise<Float32Array>;
  set(values: ArrayLike<number>): void;
  dispose(): void;
}

/**
 * A memory that starts with `fill` everywhere, of numbers for which `isEntry` holds, `entries` in words; `name` is for
 * errors.
 */
export function sampleMemory(
  name: string,
  samples: number,
  width: number,
  fill: number,
  isEntry: (v: number) => boolean,
  entries: string,
): SampleMemory {
  const size = samples * width;
  const table = deviceTable({ data: new Float32Array(size).fill(fill), shape: [samples, width] });
  return {
    rows: (index) => indexSelect(table.on(index.gpu), index),
    write: (index, rows) => writeRows(table.on(index.gpu), index, rows),
    read: async () => withJson(Float32Array.from(await table.read())),
    set(values) {
      expectState(name, values);
      if (values.length !== size)
        throw new ShapeError(`${name}: the state has ${values.length} numbers, expected ${size}, ${width} per sample`);
      for (let i = 0; i < values.length; i++) {
        if (!(typeof values[i] === 'number' && isEntry(values[i]!)))
          throw new RangeError(`${name}: entry ${i} of the state is ${values[i]}, expected ${entries}`);
      }
      table.write(Float32Array.from(values));
    },
    dispose: table.dispose,
  };
}

/** The list that JSON shall make of a typed array, which it would take for an object. */
function withJson(values: Float32Array): Float32Array {
  return Object.defineProperty(values, 'toJSON', { value: () => Array.from(values) });
}
