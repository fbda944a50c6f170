import { readFileSync } from 'node:fs';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { createRandom } from '../../../core/random.ts';
import type { Activation } from '../../../model/steps.ts';
import { BACKENDS, type BackendName } from './backend.ts';
import type { Tf } from './kernels.ts';
import { loadBackend } from './load.ts';
import { createOps, type Ops } from './ops.ts';

interface Packed {
  shape: number[];
  values: number[];
}

/** Written by golden/ops.py: float64 values, gradients by central differences. */
interface Golden {
  cases: { op: string; attrs: never; inputs: Packed[]; value: Packed; dy: Packed; gradients: Packed[] }[];
  losses: { logits: number[][]; labels: number[]; loss: number[]; gradients: number[][] }[];
}

const golden = JSON.parse(readFileSync(new URL('golden/ops.json', import.meta.url), 'utf8')) as Golden;

type Attributes = {
  activation: Activation;
  bias: boolean;
  sizes: number[];
  fields: number;
  dim: number;
  length: number;
  weights: 'softmax' | 'sigmoid';
  mode: 'mean' | 'last';
};
const apply: Record<string, (ops: Ops, inputs: Tensor2D[], attrs: Attributes) => Tensor2D> = {
  dense: (ops, [x, w, b], { activation, bias }) => ops.dense(x, w, bias ? b : null, activation),
  fieldMeans: (ops, [x], { sizes }) => ops.fieldMeans(x, sizes),
  scaleFields: (ops, [x, a], { sizes }) => ops.scaleFields(x, a, sizes),
  inner: (ops, [x], { fields, dim }) => ops.inner(x, fields, dim),
  fm: (ops, [x], { fields, dim }) => ops.fm(x, fields, dim),
  crossFull: (ops, [x0, x, w, b]) => ops.crossFull(x0, x, w, b),
  crossLowRank: (ops, [x0, x, v, u, b]) => ops.crossLowRank(x0, x, v, u, b),
  concat: (ops, inputs) => ops.concat(inputs),
  add: (ops, [a, b]) => ops.add(a, b),
  multiply: (ops, [a, b]) => ops.multiply(a, b),
  sumWidth: (ops, [x]) => ops.sumWidth(x),
  addBias: (ops, [x, b]) => ops.addBias(x, b),
  softmax: (ops, [x]) => ops.softmax(x),
  attend: (ops, [k, q, wk], { length, weights }) => ops.attend(k, q, wk, length, weights),
  pool: (ops, [k], { length, mode }) => ops.pool(k, length, mode),
};

const unavailable = await whyUnavailable();

/** The reason why `tensorflow` cannot be tested here, or null. */
async function whyUnavailable(): Promise<string | null> {
  try {
    await loadBackend('tensorflow');
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

for (const backend of BACKENDS) {
  const reason = backend === 'tensorflow' ? unavailable : null;
  describe.skipIf(reason !== null)(`ops on ${backend}${reason === null ? '' : ` (skipped: ${reason})`}`, () => {
    describeOps(backend);
  });
}

function describeOps(backend: BackendName): void {
  let tf: Tf;
  let ops: Ops;

  beforeAll(async () => {
    tf = (await loadBackend(backend)).tf;
    ops = createOps(tf);
  });

  const tensor = ({ shape, values }: Packed) => tf.tensor(values, shape, 'float32');

  golden.cases.forEach((test, i) => {
    it(`${test.op} and its gradients agree with float64 (case ${i}: ${JSON.stringify(test.attrs)})`, () => {
      tf.tidy(() => {
        const inputs = test.inputs.map(tensor);
        const run = () => apply[test.op](ops, inputs as Tensor2D[], test.attrs);
        expectClose(run(), test.value);
        const { grads } = tf.engine().gradients(run, inputs, tensor(test.dy));
        expect(grads.length).toBe(test.gradients.length);
        grads.forEach((grad, at) => {
          expectClose(grad, test.gradients[at]);
        });
      });
    });
  });

  it('productBce and its gradient agree with 60-digit arithmetic, saturated or not', () => {
    for (const { logits, labels, loss, gradients } of golden.losses) {
      const weights = Float32Array.from(labels, (_, row) => row % 3);
      const total = loss.reduce((sum, value, row) => sum + value * weights[row], 0);
      const z = tf.tensor2d(logits);
      const { value, grads } = tf
        .engine()
        .gradients(() => ops.productBce(z, Float32Array.from(labels), weights, 2), [z]);
      expect(value.dataSync()[0] / (total / 2)).toBeCloseTo(1, 6);
      const actual = grads[0].arraySync() as number[][];
      gradients.forEach((row, at) => {
        row.forEach((gradient, head) => {
          expectNear(actual[at][head], (gradient * weights[at]) / 2);
        });
      });
    }
  });

  it('productBce is the mean over rows where no weights and no divisor are given', () => {
    const { logits, labels, loss } = golden.losses[0];
    const value = tf.tidy(() => ops.productBce(tf.tensor2d(logits), Float32Array.from(labels), null).dataSync()[0]);
    expect(value / (loss.reduce((sum, term) => sum + term, 0) / loss.length)).toBeCloseTo(1, 6);
  });

  it('gives no gradient through stopGradient, and none to a mask', () => {
    const x = tf.tensor2d([[1, 2, 3]]);
    const mask = tf.tensor2d([[0, 2, 0]]);
    const { grads } = tf.engine().gradients(() => ops.add(ops.mask(x, mask), ops.stopGradient(x)), [x]);
    expect([...grads[0].dataSync()]).toEqual([0, 2, 0]);
  });

  it('adds losses up, each with a gradient of its own', () => {
    const z = tf.tensor2d([[0.5], [-1]]);
    const labels = Float32Array.of(1, 0);
    const loss = () => ops.productBce(z, labels, null);
    const once = tf.engine().gradients(loss, [z]);
    const twice = tf.engine().gradients(() => ops.total([loss(), loss()]), [z]);
    expect((twice.value as Scalar).dataSync()[0]).toBeCloseTo(2 * once.value.dataSync()[0], 6);
    twice.grads[0].dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(2 * once.grads[0].dataSync()[i], 6);
    });
  });

  it('multiplies transposed matrices of every size around a block, alone and in batches', () => {
    const random = createRandom(7);
    for (const [rows, inner, cols] of [
      [1, 1, 1],
      [15, 16, 17],
      [17, 31, 1],
      [33, 5, 16],
      [1, 40, 3],
    ]) {
      for (const batch of [[], [1], [2]]) {
        for (const [transposeA, transposeB] of [
          [true, false],
          [false, true],
          [true, true],
        ]) {
          const a = normals(random, [...batch, ...(transposeA ? [inner, rows] : [rows, inner])]);
          const b = normals(random, [...batch, ...(transposeB ? [cols, inner] : [inner, cols])]);
          const actual = tf.matMul(tensor(a), tensor(b), transposeA, transposeB);
          expectClose(actual, product(a, b, transposeA, transposeB));
        }
      }
    }
  });

  it('repeats a step bit by bit and frees what it made', () => {
    const first = trainedWeights();
    const held = tf.memory().numTensors;
    const second = trainedWeights();
    expect(Buffer.from(second.buffer).equals(Buffer.from(first.buffer))).toBe(true);
    expect(tf.memory().numTensors).toBe(held);
  });

  /** A few steps of plain descent on a small network with every kind of field op. */
  function trainedWeights(): Float32Array {
    const random = createRandom(3);
    const weights = [normals(random, [12, 8]), normals(random, [8]), normals(random, [8, 2])];
    const x = normals(random, [64, 12]);
    const labels = Float32Array.from({ length: 64 }, () => random.below(2));
    for (let step = 0; step < 5; step++) {
      tf.tidy(() => {
        const [w, b, head] = weights.map((values) => tf.tensor(values.values.slice(), values.shape));
        const rows = tensor(x) as Tensor2D;
        const loss = () => {
          const scaled = ops.scaleFields(rows, ops.softmax(ops.fieldMeans(rows, [4, 4, 4])), [4, 4, 4]);
          const hidden = ops.dense(scaled, w as Tensor2D, b, 'relu');
          return ops.productBce(ops.dense(hidden, head as Tensor2D, null), labels, null);
        };
        const { grads } = tf.engine().gradients(loss, [w, b, head]);
        grads.forEach((grad, i) => {
          grad.dataSync().forEach((slope, at) => {
            weights[i].values[at] = Math.fround(weights[i].values[at] - 0.1 * slope);
          });
        });
      });
    }
    return Float32Array.from(weights.flatMap(({ values }) => values));
  }
}

function normals(random: { normal(): number }, shape: number[]): Packed {
  const length = shape.reduce((total, size) => total * size, 1);
  return { shape, values: Array.from({ length }, () => Math.fround(random.normal())) };
}

/** a · b in float64, over a leading batch if there is one. */
function product(a: Packed, b: Packed, transposeA: boolean, transposeB: boolean): Packed {
  const batch = a.shape.length === 3 ? a.shape[0] : 1;
  const [aRows, aCols] = a.shape.slice(-2);
  const [bRows, bCols] = b.shape.slice(-2);
  const [rows, inner] = transposeA ? [aCols, aRows] : [aRows, aCols];
  const cols = transposeB ? bRows : bCols;
  const values: number[] = [];
  for (let at = 0; at < batch * rows * cols; at++) {
    const m = Math.floor(at / (rows * cols));
    const row = Math.floor(at / cols) % rows;
    const col = at % cols;
    let sum = 0;
    for (let k = 0; k < inner; k++) {
      const left = m * aRows * aCols + (transposeA ? k * aCols + row : row * aCols + k);
      const right = m * bRows * bCols + (transposeB ? col * bCols + k : k * bCols + col);
      sum += a.values[left] * b.values[right];
    }
    values.push(sum);
  }
  return { shape: [...a.shape.slice(0, -2), rows, cols], values };
}

function expectClose(actual: Tensor, expected: Packed): void {
  expect(actual.shape).toEqual(expected.shape);
  actual.dataSync().forEach((value, i) => {
    expectNear(value, expected.values[i]);
  });
}

/** Within float32's rounding of a few dozen terms near 1. */
function expectNear(actual: number, expected: number): void {
  const tolerance = 2e-6 * Math.max(1, Math.abs(expected)) * 4;
  expect(Math.abs(actual - expected), `got ${actual}, expected ${expected}`).toBeLessThanOrEqual(tolerance);
}
