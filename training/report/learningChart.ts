import { chart, legend, linearScale, linePath, numbersTable, plotOf, round } from './chart.ts';
import { count, fixed, tick } from './format.ts';
import { html, type Markup, nameText } from './html.ts';
import type { LearningCurve } from './reportData.ts';

/** Log loss on training and validation rows by examples seen, against the constant predictor. */
export function learningChart(curve: LearningCurve, index: number): Markup {
  const { task, trainExamples, trainLogLoss, validExamples, validLogLoss, constantLogLoss, keptAtExamples } = curve;
  const finite = (values: readonly number[]) => values.filter(Number.isFinite);
  const examples = finite([...trainExamples, ...validExamples]);
  const heading = html`<h3>${nameText(task)}</h3>`;
  // The first few training losses are far above all that follows; they may leave the chart at its top.
  const train = finite(trainLogLoss).sort((a, b) => a - b);
  const constant = typeof constantLogLoss === 'number' ? [constantLogLoss] : [];
  const shown = [...finite(validLogLoss), ...constant, ...train.slice(0, Math.ceil(train.length * 0.97))];
  if (examples.length === 0 || shown.length === 0) {
    return html`<figure class="card">${heading}<p class="quiet">No losses were recorded.</p></figure>`;
  }
  const plot = plotOf(1040, 320);
  const [low, high] = [Math.min(...shown), Math.max(...shown)];
  const margin = (high - low || Math.abs(high) || 1) * 0.07;
  const x = linearScale(0, Math.max(...examples) || 1, plot.left, plot.right, 10);
  const y = linearScale(low - margin, high + margin, plot.bottom, plot.top, 6);
  const last = validLogLoss.length - 1;
  const description = `Validation log loss goes from ${fixed(validLogLoss[0], 4)} to ${fixed(validLogLoss[last], 4)} over ${count(Math.max(...examples))} examples.`;
  const kept = typeof keptAtExamples === 'number' ? round(x.at(keptAtExamples)) : null;
  const constantY = constant.length > 0 ? round(y.at(constant[0])) : null;
  return html`<figure class="card scroll long">${heading}${legend([
    { kind: 'train', text: 'training' },
    { kind: 'valid', text: 'validation' },
    ...(constant.length > 0 ? [{ kind: 'constant', text: 'constant predictor' }] : []),
    ...(kept === null ? [] : [{ kind: 'kept', text: 'weights kept' }]),
  ])}${chart(
    plot,
    { id: `learning${index}`, title: `Learning curve of ${task}`, description },
    { scale: x, title: 'training examples seen', format: tick },
    { scale: y, title: 'log loss', format: tick },
    html`${constantY !== null && html`<line class="constant" x1="${plot.left}" x2="${plot.right}" y1="${constantY}" y2="${constantY}"/>`}
${kept !== null && html`<line class="kept" x1="${kept}" x2="${kept}" y1="${plot.top}" y2="${plot.bottom}"/>`}
<path class="train" d="${linePath(x, y, trainExamples, trainLogLoss)}"/><path class="valid" d="${linePath(x, y, validExamples, validLogLoss)}"/>
${validExamples.map((at, i) => Number.isFinite(validLogLoss[i]) && html`<circle class="valid" cx="${round(x.at(at))}" cy="${round(y.at(validLogLoss[i]))}" r="3.5"><title>${count(at)} examples: ${fixed(validLogLoss[i], 5)}</title></circle>`)}`,
  )}${numbersTable(
    'Validation log loss',
    ['examples', 'log loss'],
    validExamples.map((at, i) => [count(at), fixed(validLogLoss[i], 5)]),
  )}</figure>`;
}
