import type { Tensor, Tensor2D, Tensor3D, TensorInfo } from '@tensorflow/tfjs-core';
import type { Activation } from '../../../model/steps.ts';
import { type Kernel, setKernel, type Tf } from './kernels.ts';

type ReluGrad = (dy: Tensor, y: Tensor) => Tensor;

/**
 * Registers our kernels on a backend that keeps its tensors to itself (`tensorflow`), each composed of stock ones.
 * @param reluGrad the backend's own, if it has one
 */
export function registerComposedKernels(tf: Tf, backendName: string, reluGrad: ReluGrad | null): void {
  const set = (
    name: string,
    body: (inputs: Record<string, Tensor>, attrs: Record<string, unknown>) => Tensor | Tensor[],
  ) => {
    const kernel: Kernel = ({ inputs, attrs }) =>
      tf.tidy(() => body(inputs as Record<string, Tensor>, attrs)) as TensorInfo | TensorInfo[];
    setKernel(tf, backendName, `Limelight${name}`, kernel);
  };
  registerDense(tf, set, reluGrad ?? ((dy, y) => tf.mul(dy, tf.step(y))));
  registerFields(tf, set);
  registerPairs(tf, set);
  registerRows(tf, set);
  registerSequences(tf, set);
}

type SetKernel = (
  name: string,
  body: (inputs: Record<string, Tensor>, attrs: Record<string, unknown>) => Tensor | Tensor[],
) => void;

function registerDense(tf: Tf, set: SetKernel, reluGrad: ReluGrad): void {
  const forward: Record<Activation, (z: Tensor) => Tensor> = {
    linear: (z) => z,
    relu: (z) => tf.relu(z),
    sigmoid: (z) => tf.sigmoid(z),
    doubleSigmoid: (z) => tf.mul(tf.sigmoid(z), 2),
  };
  const backward: Record<Activation, ReluGrad> = {
    linear: (dy) => dy,
    relu: reluGrad,
    sigmoid: (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, y))),
    doubleSigmoid: (dy, y) => tf.mul(dy, tf.mul(y, tf.sub(1, tf.mul(y, 0.5)))),
  };
  set('Dense', ({ x, weights, bias }, { activation }) => {
    const product = tf.matMul(x, weights);
    return forward[activation as Activation](bias ? tf.add(product, bias) : product);
  });
  set('DenseGrad', ({ dy, y, x, weights }, { activation }) => {
    const dz = backward[activation as Activation](dy, y) as Tensor2D;
    return [tf.matMul(dz, weights, false, true), tf.matMul(x, dz, true, false), tf.sum(dz, 0)];
  });
}

/** Fields of one width are a reshape and a broadcast away; others take a product with a constant block matrix. */
function registerFields(tf: Tf, set: SetKernel): void {
  const sizesOf = (attrs: Record<string, unknown>) => attrs.sizes as readonly number[];
  const isEven = (sizes: readonly number[]) => sizes.every((size) => size === sizes[0]);
  /** [Σ sizes, fields], 1 where the row's column of x is of the field. */
  const members = (sizes: readonly number[]) => {
    const width = sizes.reduce((sum, size) => sum + size, 0);
    const values = new Float32Array(width * sizes.length);
    for (let field = 0, at = 0; field < sizes.length; field++) {
      for (let d = 0; d < sizes[field]; d++, at++) values[at * sizes.length + field] = 1;
    }
    return tf.tensor2d(values, [width, sizes.length]);
  };
  const inverse = (sizes: readonly number[]) =>
    tf.tensor2d(
      Float32Array.from(sizes, (size) => 1 / size),
      [1, sizes.length],
    );
  /** [rows, fields] → [rows, Σ sizes], each field's value repeated over its width. */
  const expand = (a: Tensor, sizes: readonly number[]) => tf.matMul(a, members(sizes), false, true);
  /** [rows, Σ sizes] → [rows, fields], summed. */
  const reduce = (x: Tensor, sizes: readonly number[]) =>
    isEven(sizes)
      ? tf.reshape(tf.sum(tf.reshape(x, [-1, sizes[0]]), 1), [-1, sizes.length])
      : tf.matMul(x, members(sizes));
  const scale = (x: Tensor, a: Tensor, sizes: readonly number[]) =>
    isEven(sizes)
      ? tf.reshape(tf.mul(tf.reshape(x, [-1, sizes[0]]), tf.reshape(a, [-1, 1])), x.shape)
      : tf.mul(x, expand(a, sizes));

  set('FieldMeans', ({ x }, attrs) => tf.mul(reduce(x, sizesOf(attrs)), inverse(sizesOf(attrs))));
  set('FieldMeansGrad', ({ dz }, attrs) => {
    const sizes = sizesOf(attrs);
    if (!isEven(sizes)) return expand(tf.mul(dz, inverse(sizes)), sizes);
    const share = tf.fill([1, sizes[0]], 1 / sizes[0]);
    return tf.reshape(tf.mul(tf.reshape(dz, [-1, 1]), share), [dz.shape[0], sizes.length * sizes[0]]);
  });
  set('ScaleFields', ({ x, a }, attrs) => scale(x, a, sizesOf(attrs)));
  set('ScaleFieldsGrad', ({ dy, x, a }, attrs) => [
    scale(dy, a, sizesOf(attrs)),
    reduce(tf.mul(dy, x), sizesOf(attrs)),
  ]);
}

function registerPairs(tf: Tf, set: SetKernel): void {
  const shapeOf = (attrs: Record<string, unknown>) => [attrs.fields as number, attrs.dim as number];
  /** Where pair (f, g) lies in the flat [fields, fields] product. */
  const pairs = (fields: number) => {
    const at: number[] = [];
    for (let left = 0; left < fields; left++) {
      for (let right = left + 1; right < fields; right++) at.push(left * fields + right);
    }
    return tf.tensor1d(at, 'int32');
  };
  /** For each cell of the flat [fields, fields] product its pair; the diagonal takes the column after the last. */
  const cells = (fields: number) => {
    const at = new Int32Array(fields * fields).fill((fields * (fields - 1)) / 2);
    for (let left = 0, pair = 0; left < fields; left++) {
      for (let right = left + 1; right < fields; right++, pair++) {
        at[left * fields + right] = pair;
        at[right * fields + left] = pair;
      }
    }
    return tf.tensor1d(at, 'int32');
  };

  set('Inner', ({ x }, attrs) => {
    const [fields, dim] = shapeOf(attrs);
    const cube = tf.reshape(x, [-1, fields, dim]);
    return tf.gather(tf.reshape(tf.matMul(cube, cube, false, true), [-1, fields * fields]), pairs(fields), 1);
  });
  set('InnerGrad', ({ dy, x }, attrs) => {
    const [fields, dim] = shapeOf(attrs);
    const padded = tf.concat([dy, tf.zeros([dy.shape[0], 1])], 1);
    const weights = tf.reshape(tf.gather(padded, cells(fields), 1), [-1, fields, fields]);
    return tf.reshape(tf.matMul(weights, tf.reshape(x, [-1, fields, dim])), x.shape);
  });
  /** Σ_g x_gd − x_fd. The term is ½ Σ x ⊙ others: in float32 half the error of the difference of squares. */
  const others = (x: Tensor, attrs: Record<string, unknown>) => {
    const cube = tf.reshape(x, [-1, ...shapeOf(attrs)]);
    return tf.reshape(tf.sub(tf.sum(cube, 1, true), cube), x.shape);
  };
  set('Fm', ({ x }, attrs) => tf.mul(tf.sum(tf.mul(x, others(x, attrs)), 1, true), 0.5));
  set('FmGrad', ({ dy, x }, attrs) => tf.mul(dy, others(x, attrs)));
}

function registerRows(tf: Tf, set: SetKernel): void {
  set('RowSums', ({ x }) => tf.sum(x, 1, true));
  set('SpreadRows', ({ v }, { width }) => tf.mul(v, tf.ones([1, width as number])));
  set('SoftmaxGrad', ({ dy, y }) => tf.mul(y, tf.sub(dy, tf.sum(tf.mul(dy, y), 1, true))));
}

/** Batches of small products; where no event is, scores are so low that no weight is left. */
function registerSequences(tf: Tf, set: SetKernel): void {
  /** k as [rows, length, size], and [rows, length, 1]: 1 where an event is. */
  const eventsOf = (k: Tensor, length: number) => {
    const events = tf.reshape(k, [k.shape[0], length, (k.shape[1] as number) / length]) as Tensor3D;
    const last = tf.slice(events, [0, 0, events.shape[2] - 1], [-1, -1, 1]);
    return { events, there: tf.cast(tf.greater(last, 0), 'float32') };
  };
  /** a from ⟨u, k_i⟩, [rows, length, 1]. */
  const sharesOf = (scores: Tensor, there: Tensor, weights: unknown) => {
    if (weights === 'sigmoid') return tf.mul(tf.sigmoid(scores), there);
    const shifted = tf.add(scores, tf.mul(tf.sub(there, 1), 1e30));
    return tf.mul(tf.reshape(tf.softmax(tf.squeeze(shifted, [2])), there.shape), there);
  };
  const sumOver = (shares: Tensor, events: Tensor) => tf.squeeze(tf.matMul(shares, events, true, false), [1]);
  /** What each event counts in a pool, [rows, length, 1]. */
  const poolShares = (there: Tensor, mode: unknown) => {
    if (mode === 'mean') return tf.div(there, tf.maximum(tf.sum(there, 1, true), 1));
    const first = tf.oneHot(tf.tensor1d([0], 'int32'), there.shape[1] as number);
    return tf.mul(there, tf.reshape(tf.cast(first, 'float32'), [1, -1, 1]));
  };

  set('Attend', ({ k, u }, { length, weights }) => {
    const { events, there } = eventsOf(k, length as number);
    return sumOver(sharesOf(tf.matMul(events, tf.expandDims(u, 2)), there, weights), events);
  });
  // ⟨u, k_i⟩ and da_i = ⟨dy, k_i⟩ in one product, dk_i = a_i dy + ds_i u in another: each is a pass over the events.
  set('AttendGrad', ({ dy, k, u }, { length, weights }) => {
    const { events, there } = eventsOf(k, length as number);
    const [scores, da] = tf.split(tf.matMul(events, tf.stack([u, dy], 1), false, true), 2, 2);
    const a = sharesOf(scores, there, weights);
    const ds =
      weights === 'sigmoid'
        ? tf.mul(da, tf.mul(a, tf.sub(1, a)))
        : tf.mul(a, tf.sub(da, tf.sum(tf.mul(a, da), 1, true)));
    const dk = tf.matMul(tf.concat([a, ds], 2), tf.stack([dy, u], 1));
    return [tf.reshape(dk, k.shape), sumOver(ds, events)];
  });
  set('Pool', ({ k }, { length, mode }) => {
    const { events, there } = eventsOf(k, length as number);
    return sumOver(poolShares(there, mode), events);
  });
  set('PoolGrad', ({ dy, k }, { length, mode }) => {
    const { there } = eventsOf(k, length as number);
    return tf.reshape(tf.mul(poolShares(there, mode), tf.expandDims(dy, 1)), k.shape);
  });
}
