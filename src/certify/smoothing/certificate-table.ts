/** One line of a table of certificates. */
export interface CertificateRow {
  /** Number of the input in its data set. */
  index: number;
  label: number;
  /** The class, or ABSTAIN (-1). */
  predict: number;
  /** l2, in units of the input; 0 on abstention. */
  radius: number;
  /** Whether the prediction is the label. */
  correct: boolean;
  /** What the certificate took; an equal share for inputs certified together. */
  seconds: number;
}

const HEADER = 'idx\tlabel\tpredict\tradius\tcorrect\ttime\n';

/**
 * A line of the table that the papers of the field publish: idx, label, predict, radius, correct, time, with tabs
 * between them (Cohen, Rosenfeld, Kolter, ICML 2019, code). The radius has six decimals and is rounded down, so that it
 * stays a certificate; published tables round it to nearest. Time: hours:minutes:seconds. Throws RangeError on a row
 * that no certifier gives: see {@link parseCertificates}.
 */
export function formatCertificate(row: CertificateRow): string {
  const { index, label, predict, radius, correct, seconds } = row;
  const fault = faultOf(row);
  if (fault) throw new RangeError(`formatCertificate: ${fault}`);
  const columns = [index, label, predict, roundedDown(radius).toFixed(DIGITS), Number(correct), duration(seconds)];
  return `${columns.join('\t')}\n`;
}

const DIGITS = 6;

/** The largest multiple of 1e-6 that is at most `radius`. */
export function roundedDown(radius: number): number {
  const units = Math.round(radius * 10 ** DIGITS);
  const nearest = units / 10 ** DIGITS;
  return nearest > radius ? (units - 1) / 10 ** DIGITS : nearest;
}

function duration(seconds: number): string {
  const micros = Math.round(seconds * 1e6);
  const [h, m, s] = [Math.floor(micros / 3.6e9), Math.floor(micros / 6e7) % 60, (micros / 1e6) % 60];
  return `${h}:${String(m).padStart(2, '0')}:${s.toFixed(6).padStart(9, '0')}`;
}

/**
 * Reads such a table, also one that a stop cut short: `rows` are those of the complete lines, `text` is the table up to
 * them, with its header, to which lines can be appended. An empty text is a table without rows. Throws SyntaxError,
 * which names the line, on another header, a line that is not a row, or a row that no certifier gives: a radius that is
 * not a finite number of at least 0, or not 0 on an abstention, or a `correct` that is not whether the prediction
 * is the label.
 */
export function parseCertificates(text: string): { rows: CertificateRow[]; text: string } {
  const end = text.lastIndexOf('\n') + 1;
  if (end === 0) {
    if (!HEADER.startsWith(text))
      throw new SyntaxError(
        `parseCertificates: line 1 is ${quoted(text)}, expected the header ${quoted(HEADER.trimEnd())}`,
      );
    return { rows: [], text: HEADER };
  }
  const [header, ...lines] = text.slice(0, end - 1).split('\n');
  if (header!.replace(/\r$/, '') !== HEADER.trimEnd())
    throw new SyntaxError(
      `parseCertificates: line 1 is ${quoted(header!)}, expected the header ${quoted(HEADER.trimEnd())}`,
    );
  return { rows: lines.map((line, i) => rowOf(line.replace(/\r$/, ''), i + 2)), text: text.slice(0, end) };
}

const ROW =
  /^(\d+)\t(\d+)\t(-1|\d+)\t(\d+(?:\.\d+)?(?:e-?\d+)?)\t([01])\t(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)$/;

function rowOf(line: string, number: number): CertificateRow {
  const m = ROW.exec(line);
  if (!m)
    throw new SyntaxError(
      `parseCertificates: line ${number} is ${quoted(line)}, expected six columns: idx, label, predict, ` +
        'radius, correct, time as h:mm:ss',
    );
  const [, index, label, predict, radius, correct, days, hours, minutes, seconds] = m;
  const row = {
    index: Number(index),
    label: Number(label),
    predict: Number(predict),
    radius: Number(radius),
    correct: correct === '1',
    seconds: ((Number(days ?? 0) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds),
  };
  const fault = faultOf(row);
  if (fault) throw new SyntaxError(`parseCertificates: line ${number}: ${fault}`);
  return row;
}

/** What is wrong with a row that has all columns, or null. */
function faultOf({ label, predict, radius, correct }: CertificateRow): string | null {
  if (!(radius >= 0 && radius < Infinity)) return `radius is ${radius}, expected a finite number of at least 0`;
  if (predict < 0 && radius > 0) return `radius is ${radius} on an abstention, expected 0`;
  if (correct !== (predict >= 0 && predict === label))
    return (
      `correct is ${Number(correct)} for prediction ${predict} and label ${label}, expected ` +
      `${Number(predict >= 0 && predict === label)}`
    );
  return null;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}..` : text);
}
