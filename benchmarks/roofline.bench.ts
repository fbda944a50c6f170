import { messageOf } from '../src/core/errors.ts';
import type { NativeAddon, NumberFormat } from '../src/scoring/engines/native/addon.ts';
import { loadAddon } from '../src/scoring/engines/native/load.ts';
import type { Topic, TopicResult } from './topic.ts';

/** As names of precisions: `split` products are what fp32 is computed by where two bf16 numbers a value are faster. */
const formats: readonly (readonly [NumberFormat, string])[] = [
  ['f32', 'fp32'],
  ['split', 'fp32 as split bf16'],
  ['bf16', 'bf16'],
  ['u8', 'int8'],
];

/** Products [rows, k] × [k, n]: a square one, and the layers of the bench model for 500 candidates, the first as planned and as it is. */
const shapes = [
  { name: '512×512', rows: 512, k: 512, n: 512 },
  { name: '224→512', rows: 500, k: 224, n: 512 },
  { name: '512→512', rows: 500, k: 512, n: 512 },
  { name: '512→256', rows: 500, k: 512, n: 256 },
  { name: '256→128', rows: 500, k: 256, n: 128 },
];

const readings = [
  { name: 'the second cache', bytes: 2 ** 20, record: 4096 },
  { name: 'memory, a row of an embedding table at a time', bytes: 2 ** 28, record: 64 },
  { name: 'memory, a kilobyte at a time', bytes: 2 ** 28, record: 1024 },
];

/** What one core can multiply and add, and what share of that the matrix kernels reach. */
export const roofline: Topic = {
  name: 'roofline',
  summary: 'the peak multiply-add rate of a core by number format, and the share of it that the matrix kernels reach',
  async run({ small, rounds, log }) {
    const setting =
      'one core; giga multiply-adds a second of values (a split product is three in bf16); the peak on registers alone, products from packed weights with bias and ReLU, their share of the peak';
    let addon: NativeAddon;
    try {
      ({ addon } = loadAddon());
    } catch (error) {
      return { setting, rows: [], notes: [`left out: ${messageOf(error)}`] };
    }
    const seconds = small ? 0.001 : 0.15;
    const only = process.env.LIMELIGHT_ISA;
    const rows: TopicResult['rows'][number][] = [];
    for (const kernels of addon.kernelNames().filter((name) => !only || name === only)) {
      for (const [format, name] of formats) {
        if (!addon.supports(kernels, format)) continue;
        rows.push(measure(addon, kernels, format, name, rounds, seconds));
        log(`${kernels}, ${name}: ${JSON.stringify(rows[rows.length - 1])}`);
      }
    }
    const read = readings.map(
      ({ name, bytes, record }) =>
        `${best(rounds, () => addon.measureRead(bytes, record, seconds)).toFixed(1)} from ${name}`,
    );
    return { setting, rows, notes: [`gigabytes a second read at random: ${read.join('; ')}`] };
  },
};

/** The best of the rounds, in turn: what disturbs a core only ever slows it. */
function measure(
  addon: NativeAddon,
  kernels: string,
  format: NumberFormat,
  name: string,
  rounds: number,
  seconds: number,
): TopicResult['rows'][number] {
  let peak = 0;
  const rates = shapes.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    peak = Math.max(peak, addon.measurePeak(kernels, format, seconds));
    shapes.forEach(({ rows, k, n }, i) => {
      rates[i] = Math.max(rates[i], addon.measureProduct(kernels, format, rows, k, n, seconds));
    });
  }
  const columns = shapes.flatMap(({ name }, i) => [
    [name, round(rates[i])],
    [`${name}, share`, `${Math.round((100 * rates[i]) / peak)} %`],
  ]);
  return { kernels, format: name, peak: round(peak), ...Object.fromEntries(columns) };
}

function best(rounds: number, run: () => number): number {
  return Math.max(...Array.from({ length: rounds }, run));
}

const round = (value: number) => Number(value.toPrecision(4));
