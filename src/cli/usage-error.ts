/**
 * What the user can put right: a flag, a missing file, missing software. One sentence; the command exits with code 2.
 */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** The run was stopped by Ctrl-C. */
export class Interrupted extends Error {
  override name = 'Interrupted';
}
