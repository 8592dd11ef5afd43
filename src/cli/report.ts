import { BETA, METHOD_TITLES, type Method, type Tuning } from '../../examples/reproduce/ldam-drw.ts';
import { lateEpoch } from '../../examples/reproduce/lib/long-tail.ts';
import { certifiedCurves, classCounts, epochCurves, perClass, reliability, type Series } from './charts.ts';
import type { DemoSettings } from './demo-settings.ts';
import { formatDuration } from './progress.ts';
import { STYLE } from './report-style.ts';
import type { MethodSummary, Summary } from './summary.ts';
import { escape } from './svg.ts';
import { percent } from './table.ts';

const DATASET_TITLES: Readonly<Record<string, string>> = {
  mnist: 'MNIST',
  'fashion-mnist': 'Fashion-MNIST',
  idx: 'Your data',
};

/**
 * The report of a demo run: one HTML file that opens from disk, without scripts and without anything from elsewhere.
 */
export function renderReport(summary: Summary, settings: DemoSettings): string {
  const name = `${DATASET_TITLES[summary.dataset] ?? summary.dataset}-LT-${imbalance(summary)}`;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8">' +
      '<meta name="viewport" content="width=device-width,initial-scale=1">' +
      `<title>${escape(`evenkeel: ${name}`)}</title><style>${STYLE}</style></head><body><main>`,
    header(summary, name),
    results(summary),
    data(summary),
    training(summary, settings),
    calibration(summary),
    certification(summary),
    protocol(summary, settings),
    '</main></body></html>\n',
  ].join('\n');
}

function imbalance({ imbFactor }: Summary): string {
  return String(Number((1 / imbFactor).toPrecision(3)));
}

function header(summary: Summary, name: string): string {
  const ordered = [...summary.methods].sort((a, b) => b.balancedAccuracy - a.balancedAccuracy);
  const [best, other] = ordered as [MethodSummary, MethodSummary | undefined];
  const value = (m: MethodSummary): string =>
    `${percent(m.balancedAccuracy, 1)}&nbsp;% with <span class="name">${METHOD_TITLES[m.name]}</span>`;
  const title = `Balanced accuracy ${value(best)}${other ? `, ${value(other)}` : ''}`;
  const lede =
    `A classifier trained on ${name}, where the most frequent class has about ${imbalance(summary)} times as ` +
    'many images as the rarest: tested on the balanced official test set, calibrated, and certified against ' +
    'every perturbation up to a radius.';
  return (
    `<header><p class="mark-name">evenkeel</p><h1>${title}</h1><p ` +
    `class="lede">${escape(lede)}</p>${legend(summary)}</header>`
  );
}

function results({ methods, classCounts: counts }: Summary): string {
  type Row = [title: string, value: (m: MethodSummary) => number | null, digits: number, better: 1 | -1 | 0];
  const of100 =
    (f: (m: MethodSummary) => number | null) =>
    (m: MethodSummary): number | null => {
      const v = f(m);
      return v === null ? null : 100 * v;
    };
  const rows: Row[] = [
    ['Balanced accuracy, %', of100((m) => m.balancedAccuracy), 2, 1],
    ['Accuracy, %', of100((m) => m.accuracy), 2, 1],
    ['of the frequent classes, %', of100((m) => m.many), 2, 1],
    ['of the medium classes, %', of100((m) => m.medium), 2, 1],
    ['of the rare classes, %', of100((m) => m.few), 2, 1],
    ['ECE before, %', of100((m) => m.ece), 2, -1],
    ['ECE after temperature, %', of100((m) => m.eceScaled), 2, -1],
    ['Temperature', (m) => m.temperature, 3, 0],
    ['Average certified radius', (m) => m.certified.acr, 3, 1],
    ['Training, s', (m) => m.seconds, 1, 0],
    ['Steps per second', (m) => m.stepsPerSecond, 1, 0],
  ];
  const lines = rows.map(([title, value, digits, better]) => {
    const values = methods.map(value);
    const top = Math.max(...values.map((v) => (v === null ? -Infinity : better * v)));
    const cells = values.map((v) => {
      const isBest = better !== 0 && methods.length > 1 && v !== null && better * v === top;
      return `<td${isBest ? ' class="best"' : ''}>${v === null ? '–' : v.toFixed(digits)}</td>`;
    });
    return `<tr><th scope="row">${title}</th>${cells.join('')}</tr>`;
  });
  const thirds =
    'Frequent, medium and rare classes are the thirds by training ' +
    `images${Math.min(...counts) >= 20 ? '; no class here is as small as the usual limit of 20' : ''}.`;
  const note =
    'Test set as published, after the last epoch. Balanced accuracy is the mean of the accuracies of the ' +
    `classes. ${thirds} In the average certified radius a wrong answer counts 0.`;
  const head = methods.map((m) => `<th scope="col">${METHOD_TITLES[m.name]}</th>`).join('');
  return section(
    'Results',
    note,
    `<div class="scroll"><table><thead><tr><th></th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table></div>`,
  );
}

function data(summary: Summary): string {
  const { classCounts: counts, sizes, methods } = summary;
  const series = methods.map((m): Series => ({ name: METHOD_TITLES[m.name], values: m.perClass }));
  const note =
    `${sizes.train} images train the classifier and ${sizes.calib} of the same distribution are held out for ` +
    `calibration. The ${sizes.test} test images stay balanced, so that each class counts alike: what a plain ` +
    'average over training data would hide.';
  const figures =
    figure('<b>Images of each class</b>, calibration part included', classCounts(counts)) +
    figure('<b>Test accuracy of each class</b>', perClass(series));
  return section('The long tail', note, `<div class="figures">${figures}</div>${legend(summary)}`);
}

function training(summary: Summary, { recipe }: DemoSettings): string {
  const series = (pick: (m: MethodSummary) => readonly number[]): Series[] =>
    summary.methods.map((m) => ({ name: METHOD_TITLES[m.name], values: pick(m) }));
  const mark = { epoch: lateEpoch(recipe.epochs, recipe.tuning['ldam-drw']) + 1, text: 'DRW begins' };
  const loss = epochCurves(
    'Training loss over epochs',
    'training loss',
    series((m) => m.history.loss),
    { mark },
  );
  const balanced = epochCurves(
    'Balanced accuracy over epochs',
    'balanced accuracy, %',
    series((m) => m.history.balancedAccuracy),
    { fraction: true, mark },
  );
  const note =
    'The losses of different methods have different scales. Every figure of this page is that of the last ' +
    'epoch. The settings of each method were chosen on other images of the training files.';
  const figures =
    figure('<b>Training loss</b>, mean of each epoch', loss) +
    figure('<b>Balanced accuracy</b> on the calibration part, clean images', balanced);
  return section('Training', note, `<div class="figures">${figures}</div>${legend(summary)}`);
}

function calibration({ methods }: Summary): string {
  const figures = methods.flatMap((m, s) => [
    figure(
      `<b>${METHOD_TITLES[m.name]}</b> before<br>ECE ${percent(m.ece)} %`,
      reliability(`Reliability of ${METHOD_TITLES[m.name]} before temperature scaling`, m.reliability.before, s),
    ),
    figure(
      `<b>${METHOD_TITLES[m.name]}</b> after<br>ECE ${percent(m.eceScaled)} %, T ${m.temperature.toFixed(3)}`,
      reliability(`Reliability of ${METHOD_TITLES[m.name]} after temperature scaling`, m.reliability.after, s),
    ),
  ]);
  const wanted = methods.some((m) => Array.isArray(m.prior))
    ? 'classes come as they are estimated to come among the test images'
    : 'all classes are alike, as in the test set';
  const note =
    'Test images in 15 bins of confidence. A calibrated classifier is right as often as it is confident: its ' +
    `bars end on the diagonal. One temperature is fitted on the calibration part, weighted so that ${wanted}: ` +
    'as it is, long-tailed, it would speak for the frequent classes and could leave the ECE higher than before.';
  return section(
    'Calibration',
    note,
    `<div class="figures diagrams">${figures.join('')}</div><ul class="legend"><li class="gap">gap between ` +
      'accuracy and confidence (pale bars: fewer than 1 % of the images)</li></ul>',
  );
}

function certification(summary: Summary): string {
  const { methods } = summary;
  const { sigma, n, alpha, points, accuracyAtRadius } = methods[0]!.certified;
  const curves = methods.map((m) => ({ name: METHOD_TITLES[m.name], certificates: m.certified.points }));
  const note =
    `Randomised smoothing: with probability at least ${1 - alpha} for each image, no perturbation of l2 norm ` +
    `below the radius changes the answer of the smoothed classifier. ${points.length} test images, noise ` +
    `${sigma}, ${n} draws an image; more draws allow larger radii.`;
  const lines = accuracyAtRadius
    .map(([r], i) => [r, methods.map((m) => m.certified.accuracyAtRadius[i]![1])] as const)
    .filter(([r, values]) => Number.isInteger(Number((10 * r).toFixed(6))) && (r === 0 || values.some((v) => v > 0)))
    .map(
      ([r, values]) =>
        `<tr><th scope="row">${r.toFixed(1)}</th>${values.map((v) => `<td>${percent(v, 0)}</td>`).join('')}</tr>`,
    );
  const head = methods.map((m) => `<th scope="col">${METHOD_TITLES[m.name]}, %</th>`).join('');
  const table =
    '<table><thead><tr><th scope="col">l2 ' + `radius</th>${head}</tr></thead><tbody>${lines.join('')}</tbody></table>`;
  const chart = figure(
    '<b>Certified accuracy</b>: right, and certified at least up to this radius',
    certifiedCurves(curves),
  );
  return section('Certification', note, `<div class="figures">${chart}<div>${table}</div></div>${legend(summary)}`);
}

function protocol(summary: Summary, { recipe, sigma, certify }: DemoSettings): string {
  const { adapter, sizes, methods } = summary;
  const models = methods.map((m) => `${METHOD_TITLES[m.name]} ${m.parameters}`).join(', ');
  const rows: [string, string][] = [
    ['Adapter', `${adapter.name} (${adapter.kind}), host: ${summary.host}`],
    [
      'Data',
      `${DATASET_TITLES[summary.dataset] ?? summary.dataset}, exponential imbalance ${imbalance(summary)}, ` +
        `seed ${summary.seed}; ${sizes.train} / ${sizes.calib} / ${sizes.test} images for training / ` +
        'calibration / test',
    ],
    ['Model', `linear layers of ${recipe.widths.join(' and ')} outputs, then the classifier; parameters: ${models}`],
    [
      'Training',
      `${summary.epochs} epochs, batches of ${recipe.batchSize}, SGD with momentum ${recipe.momentum}, ` +
        `warm-up over 2 epochs; Gaussian input noise ${sigma}`,
    ],
    ...methods.map(({ name }): [string, string] => [
      METHOD_TITLES[name],
      settings(name, summary.epochs, recipe.tuning[name]),
    ]),
    [
      'Calibration',
      'one temperature by least negative log-likelihood on the calibration part, weighted by ' +
        (methods.some((m) => Array.isArray(m.prior))
          ? 'class shares estimated from the test images by EM; '
          : 'class, all alike; ') +
        'ECE with 15 bins of equal width',
    ],
    [
      'Certification',
      `${certify.images} test images at equal distances; ${certify.n0} draws choose the class, ${certify.n} ` +
        `more bound its probability (Clopper-Pearson, alpha ${certify.alpha})`,
    ],
    ['Time', `${formatDuration(summary.seconds)} in all`],
  ];
  const list = rows.map(([term, text]) => `<dt>${term}</dt><dd>${escape(text)}</dd>`).join('');
  return section(
    'Protocol',
    '',
    `<dl>${list}</dl><h3>The same run again</h3><pre>${escape(summary.command)}</pre><h3>The effect over ` +
      'several seeds</h3><pre>npm run reproduce -- ldam-drw --seeds 3</pre>',
  );
}

function settings(name: Method, epochs: number, tuning: Tuning): string {
  const { lr, weightDecay, lastRelu, s, maxM } = tuning;
  const own =
    name === 'ldam-drw'
      ? `; cosine classifier, scale ${s}, largest margin ${maxM}; class weights by effective number, beta ` +
        `${BETA}, from the epoch where the rate falls`
      : '';
  return (
    `rate ${lr}, a tenth of it from epoch ${lateEpoch(epochs, tuning) + 1}, weight decay ${weightDecay}, ` +
    `${lastRelu ? 'relu after every layer' : 'no relu before the classifier'}${own}`
  );
}

function section(title: string, note: string, body: string): string {
  return `<section><h2>${title}</h2>${note ? `<p class="note">${escape(note)}</p>` : ''}${body}</section>`;
}

/** `caption` is markup. */
function figure(caption: string, svg: string): string {
  return `<figure><figcaption>${caption}</figcaption>${svg}</figure>`;
}

function legend({ methods }: Summary): string {
  return `<ul class="legend">${methods.map((m, s) => `<li class="s${s}">${METHOD_TITLES[m.name]}</li>`).join('')}</ul>`;
}
