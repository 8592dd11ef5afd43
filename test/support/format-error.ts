import { expect } from 'vitest';
import { FormatError } from 'evenkeel/io';

/** The message of the FormatError that `run` throws, or rejects with. */
export async function formatErrorOf(run: () => unknown): Promise<string> {
  const error = await (async () => run())().then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FormatError);
  return (error as FormatError).message;
}
