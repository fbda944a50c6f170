import { describe, expect, it } from 'vitest';
import { createRandom } from '../core/random.ts';
import { auc } from '../evaluation/auc.ts';
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
      /^int8: AUC −0\.0\d{4}, log loss \+\d\.\d{3} %, not within -0.0003 and \+0.03 %; bf16: AUC [+−]0\.0000\d, log loss [+−]0\.00\d %, within -0.0003 and \+0.03 %$/,
    );
  });

  it('measures AUC as the metrics do', () => {
    const noisy = Float32Array.from(logits, (logit, row) => pOf(logit + 0.3 * noise[row]));
    const difference = (auc(noisy, clicks) as number) - (auc(Float32Array.from(logits, pOf), clicks) as number);
    const { reason } = choosePrecision(sample, limits, [choice('int8', (row) => 0.3 * noise[row]), exact]);
    expect(reason).toContain(`int8: AUC −${(-difference).toFixed(5)},`);
  });

  it('falls back to fp32 where none is within the limits: by order, by level alone, or by no number at all', () => {
    for (const error of [(row: number) => 0.3 * noise[row], () => 0.2, () => Number.NaN]) {
      const { precision, reason } = choosePrecision(sample, limits, [choice('bf16', error), exact]);
      expect(precision).toBe('fp32');
      expect(reason).toMatch(/^fp32; bf16: .*not within/);
    }
  });

  it('takes what is better than fp32 and whatever wide limits allow', () => {
    const better = choice('int8', (row) => (clicks[row] > 0 ? 0.1 : -0.1));
    expect(choosePrecision(sample, { auc: 0, logLoss: 0 }, [better, exact]).precision).toBe('int8');
    const worse = choice('int8', (row) => 0.3 * noise[row]);
    expect(choosePrecision(sample, { auc: 1, logLoss: 1 }, [worse, exact]).precision).toBe('int8');
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
    expect(choosePrecision(both, limits, [twice(same, 0.11), twice(exact, 0.1)]).precision).toBe('fp32');
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
