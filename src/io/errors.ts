/** The bytes of a file do not follow its format. The message names the reader, what was found and what was expected. */
export class FormatError extends Error {
  override name = 'FormatError';
}

/** Text out of a file, shortened and escaped so that it cannot garble a message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text);
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
