import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { auc } from '../evaluation/auc.ts';
import { logLoss } from '../evaluation/metrics.ts';
import type { Sample } from '../model/sample.ts';
import { choosePrecision, type PrecisionChoice } from './precision.ts';
import type { Scorer } from './scorer.ts';

const limits = { auc: 0.0003, logLoss: 0.0003 };
const rows = 5000;
const random = createRandom(1);
const logits = Float64Array.from({ length: rows }, () => random.normal());
const noise = Float64Array.from({ length: rows }, () => random.normal());
const pOf = (logit: number) => 1 / (1 + Math.exp(-logit));
const clicks = Float32Array.from(logits, (logit) => (random.next() < pOf(logit) ? 1 : 0));
const sample: Sample = {
  input: {
    rowCount: rows,
    fields: new Map([['row', { kind: 'id', ids: Int32Array.from({ length: rows }, (_, i) => i) }]]),
  },
  labels: new Map([['click', clicks]]),
};
const disposed: string[] = [];

/** A scorer that answers the sample with some error in its logits. */
function choice(precision: PrecisionChoice['precision'], error: (row: number) => number): PrecisionChoice {
  const scorer: Scorer = {
    engine: precision,
    score({ fields }) {
      const column = fields.get('row');
      const ids = column?.kind === 'id' ? column.ids : new Int32Array(0);
      return new Map([['click', Float32Array.from(ids, (row) => pOf(logits[row] + error(row)))]]);
    },
    dispose: () => void disposed.push(precision),
  };
  return { precision, load: () => scorer };
}
const exact = choice('fp32', () => 0);

describe('choosePrecision', () => {
  it('takes the fastest within the limits, says why, and disposes of the others', () => {
    disposed.length = 0;
    const choices = [choice('int8', (row) => 0.3 * noise[row]), choice('bf16', (row) => 1e-3 * noise[row]), exact];
    const { precision, scorer, reason } = choosePrecision(sample, limits, choices);
    expect([precision, scorer.engine]).toEqual(['bf16', 'bf16']);
    expect(disposed.sort()).toEqual(['fp32', 'int8']);
    expect(reason).toMatch(
      /^int8: AUC −0\.0\d{4}, log loss \+\d\.\d{3} %, p ± 0\.\d{5}: too much; bf16: AUC [+−]?0\.0000\d, log loss [+−]?0\.00\d %, p ± 0\.00\d{3}: within limits$/,
    );
  });

  it('measures as the metrics do', () => {
    const noisy = Float32Array.from(logits, (logit, row) => pOf(logit + 0.3 * noise[row]));
    const p = Float32Array.from(logits, pOf);
    const difference = (auc(noisy, clicks) as number) - (auc(p, clicks) as number);
    const ratio = (logLoss(noisy, clicks) as number) / (logLoss(p, clicks) as number);
    const largest = Math.max(...noisy.map((x, row) => Math.abs(x - p[row])));
    const { reason } = choosePrecision(sample, limits, [choice('int8', (row) => 0.3 * noise[row]), exact]);
    expect(reason).toContain(
      `int8: AUC −${(-difference).toFixed(5)}, log loss +${(100 * (ratio - 1)).toFixed(3)} %, p ± ${largest.toFixed(5)}: too much`,
    );
  });

  it('falls back to fp32 where none will do: by order, by level alone, by one row, or by no number at all', () => {
    const oneRow = (row: number) => (row === 17 ? 0.1 : 0);
    for (const error of [(row: number) => 0.3 * noise[row], () => 0.2, oneRow, () => Number.NaN]) {
      const { precision, reason } = choosePrecision(sample, limits, [choice('bf16', error), exact]);
      expect(precision).toBe('fp32');
      expect(reason).toMatch(/^fp32; bf16: .*too much$/);
    }
  });

  it('takes what is better than fp32 without any limits, and what is worse only within them', () => {
    const better = choice('int8', (row) => (clicks[row] > 0 ? 0.01 : -0.01));
    expect(choosePrecision(sample, { auc: 0, logLoss: 0 }, [better, exact]).precision).toBe('int8');
    const worse = choice('int8', (row) => (clicks[row] > 0 ? -0.01 : 0.01));
    const precisionBy = (auc: number, logLoss: number) =>
      choosePrecision(sample, { auc, logLoss }, [worse, exact]).precision;
    expect([precisionBy(0.1, 0.1), precisionBy(0, 0.1), precisionBy(0.1, 0)]).toEqual(['int8', 'fp32', 'fp32']);
  });

  it('judges by the worst task, and by log loss alone where a class is missing', () => {
    const both = { ...sample, labels: new Map([...sample.labels, ['conversion', new Float32Array(rows)]]) };
    const twice = ({ precision, load }: PrecisionChoice, conversion: number): PrecisionChoice => ({
      precision,
      load() {
        const scorer = load();
        const score: Scorer['score'] = (input) =>
          new Map([...scorer.score(input), ['conversion', new Float32Array(input.rowCount).fill(conversion)]]);
        return { ...scorer, score };
      },
    });
    const same = choice('bf16', () => 0);
    expect(choosePrecision(both, limits, [twice(same, 0.1), twice(exact, 0.1)]).precision).toBe('bf16');
    expect(choosePrecision(both, limits, [twice(same, 0.101), twice(exact, 0.1)]).precision).toBe('fp32');
  });

  it('is fp32 where there is nothing to judge by, and loads nothing else', () => {
    const unused: PrecisionChoice = { precision: 'bf16', load: () => expect.fail('loaded') };
    const empty = { ...sample, input: { rowCount: 0, fields: new Map() } };
    for (const [given, bounds] of [
      [undefined, limits],
      [sample, undefined],
      [empty, limits],
      [{ ...sample, labels: new Map() }, limits],
    ] as const) {
      const { precision, reason } = choosePrecision(given, bounds, [unused, exact]);
      expect([precision, reason]).toEqual(['fp32', 'fp32, since the bundle has no sample to judge others by']);
    }
  });
});
