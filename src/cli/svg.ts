/** Text as it may stand in HTML and SVG, in content and in attributes. */
export function escape(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** A number of an SVG attribute: two decimals are a hundredth of a pixel. */
export function px(x: number): string {
  return String(Math.round(x * 100) / 100);
}

/** Maps values low..high to pixels from..to. */
export function scale(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = high - low || 1;
  return (value) => from + ((value - low) / span) * (to - from);
}

/** Three to seven round values that span low..high. */
export function ticks(low: number, high: number): number[] {
  const span = high - low || 1;
  const rough = span / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => span / s <= 6)!;
  const out: number[] = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * span; i++)
    out.push(Number((i * step).toPrecision(12)));
  return out;
}

/** The drawing area of a chart. */
export interface Plot {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** Wide enough for ten bars, and still legible when a phone shrinks it. */
export const PLOT: Plot = { width: 460, height: 280, left: 46, right: 450, top: 14, bottom: 240 };

/** A square one, for diagrams where both axes are probabilities. */
export const SQUARE: Plot = { width: 240, height: 238, left: 40, right: 232, top: 8, bottom: 200 };

/** An axis: its range, marks, their texts, and a title. */
export interface Axis {
  low: number;
  high: number;
  marks: readonly number[];
  format: (value: number) => string;
  title: string;
}

/** An axis whose marks are round values of low..high. */
export function axis(title: string, low: number, high: number, format: (value: number) => string = String): Axis {
  return { low, high, marks: ticks(low, high), format, title };
}

/** A chart with axes; `draw` gets the two scales. `label` describes it to those who cannot see it. */
export function chart(
  label: string,
  x: Axis,
  y: Axis,
  draw: (x: (v: number) => number, y: (v: number) => number) => string,
  plot: Plot = PLOT,
): string {
  const toX = scale(x.low, x.high, plot.left, plot.right);
  const toY = scale(y.low, y.high, plot.bottom, plot.top);
  const rows = y.marks.map((v) => {
    const at = px(toY(v));
    return (
      `<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}"/><text class="tick" ` +
      `text-anchor="end" x="${plot.left - 7}" y="${at}" dy=".32em">${escape(y.format(v))}</text>`
    );
  });
  const columns = x.marks.map(
    (v) =>
      `<text class="tick" text-anchor="middle" x="${px(toX(v))}" y="${plot.bottom + 16}">${escape(x.format(v))}</text>`,
  );
  const middle = (plot.left + plot.right) / 2;
  return [
    `<svg viewBox="0 0 ${plot.width} ${plot.height}" role="img" aria-label="${escape(label)}">`,
    ...rows,
    ...columns,
    `<text class="title" text-anchor="middle" x="${px(middle)}" y="${plot.bottom + 34}">${escape(x.title)}</text>`,
    `<text class="title" text-anchor="middle" transform="translate(11 ${px((plot.top + plot.bottom) / 2)}) ` +
      `rotate(-90)">${escape(y.title)}</text>`,
    draw(toX, toY),
    `<line class="base" x1="${plot.left}" x2="${plot.right}" y1="${plot.bottom}" y2="${plot.bottom}"/>`,
    '</svg>',
  ].join('');
}
