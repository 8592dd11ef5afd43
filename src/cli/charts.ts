import { axis, chart, escape, PLOT, px, SQUARE, type Axis } from './svg.ts';
import type { Bin, Certificate } from './summary.ts';

/** A named list of values; the place in the list of series decides its colour. */
export interface Series {
  name: string;
  values: readonly (number | null)[];
}

const asPercent = (v: number): string => `${Math.round(100 * v)}`;

/** One bar a class, its value on top. */
export function classCounts(counts: readonly number[]): string {
  const most = Math.max(1, ...counts);
  return chart(
    'Training images of each class',
    classAxis(counts.length),
    axis('training images', 0, 1.08 * most, compact),
    (x, y) => {
      const width = 0.72 * (x(1) - x(0));
      return counts
        .map((n, c) => {
          const top = y(n);
          const value = `<text class="value" text-anchor="middle" x="${px(x(c))}" y="${px(top - 5)}">${n}</text>`;
          const column = bar('counts', x(c) - width / 2, top, width, PLOT.bottom - top, `class ${c}: ${n} images`);
          return counts.length <= 12 ? column + value : column;
        })
        .join('');
    },
  );
}

/** For each class one bar a series. Values are fractions. */
export function perClass(series: readonly Series[]): string {
  const classes = series[0]?.values.length ?? 0;
  return chart('Test accuracy of each class', classAxis(classes), axis('accuracy, %', 0, 1, asPercent), (x, y) => {
    const group = 0.78 * (x(1) - x(0));
    const width = group / series.length;
    return series
      .flatMap(({ name, values }, s) =>
        values.map((v, c) => {
          const top = y(v ?? 0);
          const left = x(c) - group / 2 + s * width;
          return bar(
            `s${s}`,
            left + 0.5,
            top,
            width - 1,
            PLOT.bottom - top,
            `${name}, class ${c}: ${v === null ? 'no test image' : `${(100 * v).toFixed(1)} %`}`,
          );
        }),
      )
      .join('');
  });
}

/** Curves over epochs, counted from 1; `mark` draws a line before an epoch. */
export function epochCurves(
  label: string,
  yTitle: string,
  series: readonly Series[],
  { fraction = false, mark }: { fraction?: boolean; mark?: { epoch: number; text: string } } = {},
): string {
  const last = Math.max(0, ...series.map(({ values }) => values.length));
  const epochs = Math.max(2, last);
  const all = series.flatMap(({ values }) => values.filter((v) => v !== null));
  const high = fraction ? 1 : 1.05 * Math.max(1e-6, ...all);
  const low = fraction ? Math.max(0, Math.floor(10 * Math.min(1, ...all) - 0.2) / 10) : 0;
  const marks = Array.from({ length: epochs }, (_, i) => i + 1).filter((e) =>
    epochs <= 12 ? true : e === 1 || e % Math.ceil(epochs / 10) === 0,
  );
  const xAxis: Axis = { low: 0.8, high: epochs + 0.2, marks, format: String, title: 'epoch' };
  return chart(label, xAxis, axis(yTitle, low, high, fraction ? asPercent : (v) => String(v)), (x, y) => {
    const at = mark && mark.epoch > 1 && mark.epoch <= last ? x(mark.epoch - 0.5) : null;
    const line =
      at === null
        ? ''
        : `<line class="mark" x1="${px(at)}" x2="${px(at)}" y1="${PLOT.top}" y2="${PLOT.bottom}"/><text ` +
          `class="tick" x="${px(at - 5)}" y="${PLOT.top + 8}" text-anchor="end">${escape(mark!.text)}</text>`;
    return (
      line +
      series
        .map(({ name, values }, s) => {
          const points = values
            .map((v, i) => (v === null ? null : ([x(i + 1), y(v)] as const)))
            .filter((p) => p !== null);
          const dots = points.map(([left, top], i) => {
            const value = fraction ? `${(100 * values[i]!).toFixed(1)} %` : values[i]!.toFixed(3);
            const title = escape(`${name}, epoch ${i + 1}: ${value}`);
            return `<circle class="dot s${s}" cx="${px(left)}" cy="${px(top)}" r="3"><title>${title}</title></circle>`;
          });
          return (
            `<polyline class="line s${s}" ` +
            `points="${points.map(([a, b]) => `${px(a)},${px(b)}`).join(' ')}"/>${dots.join('')}`
          );
        })
        .join('')
    );
  });
}

/** Accuracy over confidence, one bar a bin; what lacks to the diagonal, or exceeds it, is the gap. */
export function reliability(label: string, bins: readonly Bin[], series: number): string {
  const unit = (title: string): Axis => ({ ...axis(title, 0, 1, asPercent), marks: [0, 0.25, 0.5, 0.75, 1] });
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return chart(
    label,
    unit('confidence, %'),
    unit('accuracy, %'),
    (x, y) => {
      const bars = bins
        .filter(({ count }) => count > 0)
        .map(({ lo, hi, count, confidence, accuracy }) => {
          const [a, c] = [accuracy!, confidence!];
          const [left, width] = [x(lo) + 0.6, x(hi) - x(lo) - 1.2];
          const note =
            `confidence ${(100 * c).toFixed(1)} %, accuracy ${(100 * a).toFixed(1)} %, ${count} of ${total} ` +
            'images';
          const gap =
            `<rect class="gap" x="${px(left)}" y="${px(y(Math.max(a, c)))}" width="${px(width)}" ` +
            `height="${px(Math.abs(y(a) - y(c)))}"/>`;
          return (
            bar(`s${series}${count < 0.01 * total ? ' pale' : ''}`, left, y(a), width, SQUARE.bottom - y(a), note) + gap
          );
        });
      return (
        `${bars.join('')}<line class="diagonal" x1="${px(x(0))}" y1="${px(y(0))}" x2="${px(x(1))}" ` +
        `y2="${px(y(1))}"/>`
      );
    },
    SQUARE,
  );
}

/** Certified accuracy over radius: a staircase that falls by one image where its certificate ends. */
export function certifiedCurves(curves: readonly { name: string; certificates: readonly Certificate[] }[]): string {
  const right = curves.map(({ certificates }) =>
    certificates
      .filter(({ label, predicted }) => label === predicted)
      .map(({ radius }) => radius)
      .sort((a, b) => a - b),
  );
  const most = Math.max(0.1, ...right.flat());
  return chart(
    'Certified accuracy over radius',
    axis('l2 radius', 0, 1.08 * most),
    axis('certified accuracy, %', 0, 1, asPercent),
    (x, y) =>
      curves
        .map(({ name, certificates }, s) => {
          const radii = right[s]!;
          const at = (left: number): string => px(y(left / Math.max(1, certificates.length)));
          const steps = radii.map((r, i) => `H${px(x(r))}V${at(radii.length - i - 1)}`).join('');
          return (
            `<path class="line s${s}" d="M${px(x(0))} ` +
            `${at(radii.length)}${steps}"><title>${escape(name)}</title></path>`
          );
        })
        .join(''),
  );
}

function bar(kind: string, left: number, top: number, width: number, height: number, note: string): string {
  return (
    `<rect class="bar ${kind}" x="${px(left)}" y="${px(top)}" width="${px(width)}" ` +
    `height="${px(Math.max(0, height))}"><title>${escape(note)}</title></rect>`
  );
}

function classAxis(classes: number): Axis {
  const marks = Array.from({ length: classes }, (_, c) => c).filter((c) => classes <= 20 || c % 10 === 0);
  return { low: -0.6, high: classes - 0.4, marks, format: String, title: 'class' };
}

function compact(n: number): string {
  return n >= 1000 ? `${Number((n / 1000).toFixed(1))}k` : String(n);
}
