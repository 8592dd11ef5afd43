/** The bytes of a file do not follow its format. The message names the reader, what was found and what was expected. */
export class FormatError extends Error {
  override name = 'FormatError';
}

/** Text out of a file, shortened to `most` characters and escaped so that it cannot garble a message. */
export function quote(text: string, most = 60): string {
  const escaped = JSON.stringify(text.length > most ? `${text.slice(0, most)}...` : text);
  return escaped.length > most + 20 ? `${escaped.slice(0, most)}..."` : escaped;
}

/** A shape out of a file for a message. */
export function brief(shape: readonly number[]): string {
  return shape.length > 8 ? `${shape.slice(0, 8)},... of rank ${shape.length}` : String(shape);
}

/** The first of many names or numbers for a message, at most some 120 characters of them. */
export function listed(items: readonly (string | number)[]): string {
  const shown: string[] = [];
  let room = 120;
  for (const item of items) {
    const text = typeof item === 'string' && item.length > 60 ? `${item.slice(0, 60)}...` : String(item);
    room -= text.length + 2;
    if (room < 0 && shown.length > 0) break;
    shown.push(text);
  }
  return shown.join(', ') + (shown.length < items.length ? ` and ${items.length - shown.length} more` : '');
}
