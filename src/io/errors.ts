/** The bytes of a file do not follow its format. The message names the reader, what was found and what was expected. */
export class FormatError extends Error {
  override name = 'FormatError';
}
