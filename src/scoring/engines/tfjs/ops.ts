import type { NamedAttrMap, Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs-core';
import type { Activation } from '../../../model/steps.ts';
import type { RankedLists } from '../../learner.ts';
import type { Tf } from './kernels.ts';
import { listCrossEntropy } from './listCrossEntropy.ts';
import { productBce } from './productBce.ts';
import { registerKernels } from './registerKernels.ts';

/**
 * The ops of a model on TensorFlow.js: functions from tensors [rows, width] to tensors, differentiable by the tape
 * (`tf.engine().gradients`) at the cost of hand-written gradients. Call them within `tf.tidy`.
 */
export type Ops = ReturnType<typeof createOps>;

/** Binds the ops to a loaded TensorFlow.js whose backend is ready, and registers their kernels on that backend. */
export function createOps(tf: Tf) {
  registerKernels(tf);

  const run = <T = Tensor2D>(kernel: string, inputs: Record<string, Tensor>, attrs: object = {}): T =>
    tf.engine().runKernel(`Limelight${kernel}`, inputs, attrs as NamedAttrMap) as T;

  /**
   * An op with its own gradient. The tape frees intermediate tensors after the forward pass, so what the gradient
   * needs is saved here: `backward` gets the inputs and the output as they were.
   */
  const op = (
    inputs: Tensor[],
    forward: () => Tensor2D,
    backward: (dy: Tensor2D, inputs: Tensor2D[], output: Tensor2D) => Tensor | Tensor[],
  ): Tensor2D => {
    const graded = tf.customGrad((...args) => {
      const value = forward();
      const save = args[args.length - 1] as unknown as (tensors: Tensor[]) => void;
      save([value, ...inputs]);
      const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor | Tensor[] => {
        const [output, ...rest] = saved as Tensor2D[];
        return backward(dy as Tensor2D, rest, output);
      };
      return { value, gradFunc };
    });
    return graded(...inputs) as Tensor2D;
  };

  /** act(x · W + b). @param x [rows, n] @param weights [n, m] @param bias [m], or none */
  const dense = (x: Tensor2D, weights: Tensor2D, bias: Tensor | null, activation: Activation = 'linear'): Tensor2D =>
    op(
      bias ? [x, weights, bias] : [x, weights],
      () => run('Dense', bias ? { x, weights, bias } : { x, weights }, { activation }),
      (dy, [x, weights], y) => run<Tensor[]>('DenseGrad', { dy, y, x, weights }, { activation }).slice(0, bias ? 3 : 2),
    );

  /** One row repeated to n; a tensor of n rows as it is. Values of request scope have one row when serving. */
  const broadcastRows = (t: Tensor2D, n: number): Tensor2D =>
    t.shape[0] === n
      ? t
      : op(
          [t],
          () => tf.tile(t, [n, 1]),
          (dy) => tf.sum(dy, 0, true),
        );

  const alignRows = (inputs: readonly Tensor2D[]): Tensor2D[] => {
    const rows = Math.max(...inputs.map((input) => input.shape[0]));
    return inputs.map((input) => broadcastRows(input, rows));
  };

  const multiply = (left: Tensor2D, right: Tensor2D): Tensor2D => {
    const [a, b] = alignRows([left, right]);
    return op(
      [a, b],
      () => tf.mul(a, b),
      (dy, [a, b]) => [tf.mul(dy, b), tf.mul(dy, a)],
    );
  };

  const add = (left: Tensor2D, right: Tensor2D): Tensor2D => {
    const [a, b] = alignRows([left, right]);
    return op(
      [a, b],
      () => tf.add(a, b),
      (dy) => [tf.clone(dy), tf.clone(dy)],
    );
  };

  const concat = (inputs: readonly Tensor2D[]): Tensor2D => {
    if (inputs.length === 1) return inputs[0];
    const parts = alignRows(inputs);
    const widths = parts.map((part) => part.shape[1]);
    return op(
      parts,
      () => tf.concat(parts, 1),
      (dy) => tf.split(dy, widths, 1),
    );
  };

  const crossFull = (x0: Tensor2D, xl: Tensor2D, weights: Tensor2D, bias: Tensor | null): Tensor2D =>
    add(multiply(x0, dense(xl, weights, bias)), xl);

  return {
    dense,
    multiply,
    add,
    broadcastRows,

    /**
     * SENet's squeeze, z_f = mean_d x_fd; the gates are two `dense` of it. @param x [rows, Σ sizes] @returns [rows, fields]
     * @see Huang et al. 2019, "FiBiNET", section 3.2
     */
    fieldMeans: (x: Tensor2D, sizes: readonly number[]): Tensor2D =>
      op(
        [x],
        () => run('FieldMeans', { x }, { sizes }),
        (dz) => run('FieldMeansGrad', { dz }, { sizes }),
      ),

    /** y_fd = gates_f x_fd. @param fields [rows, Σ sizes] @param gates [rows, fields] */
    scaleFields(fields: Tensor2D, gates: Tensor2D, sizes: readonly number[]): Tensor2D {
      const [x, a] = alignRows([fields, gates]);
      return op(
        [x, a],
        () => run('ScaleFields', { x, a }, { sizes }),
        (dy, [x, a]) => run<Tensor[]>('ScaleFieldsGrad', { dy, x, a }, { sizes }),
      );
    },

    /** Every pair's inner product, (0,1), (0,2), …, (1,2), …. @param x [rows, fields · dim] @returns [rows, f(f−1)/2] */
    inner: (x: Tensor2D, fields: number, dim: number): Tensor2D =>
      op(
        [x],
        () => run('Inner', { x }, { fields, dim }),
        (dy, [x]) => run('InnerGrad', { dy, x }, { fields, dim }),
      ),

    /** ½ Σ_d [(Σ_f x_fd)² − Σ_f x_fd²]. @param x [rows, fields · dim] @returns [rows, 1] */
    fm: (x: Tensor2D, fields: number, dim: number): Tensor2D =>
      op(
        [x],
        () => run('Fm', { x }, { fields, dim }),
        (dy, [x]) => run('FmGrad', { dy, x }, { fields, dim }),
      ),

    /**
     * y = Σ_i a_i k_i over the events that are there, a = softmax or σ of ⟨q, Wkᵀ k_i⟩ / √units. Since that is ⟨Wk q, k_i⟩ / √units, an
     * event costs its size, not units times that.
     * @param events k, [rows, length · size] @param query q, [rows, units] @param wk [size, units] @returns [rows, size]
     */
    attend(events: Tensor2D, query: Tensor2D, wk: Tensor2D, length: number, weights: 'softmax' | 'sigmoid'): Tensor2D {
      const [k, q] = alignRows([events, query]);
      const scale = 1 / Math.sqrt(q.shape[1]);
      const directions = (q: Tensor2D, wk: Tensor2D) => tf.mul(tf.matMul(q, wk, false, true), scale);
      return op(
        [k, q, wk],
        () => run('Attend', { k, u: directions(q, wk) }, { length, weights }),
        (dy, [k, q, wk]) => {
          const u = directions(q, wk);
          const [dk, du] = run<Tensor2D[]>('AttendGrad', { dy, k, u }, { length, weights });
          const scaled = tf.mul(du, scale) as Tensor2D;
          return [dk, tf.matMul(scaled, wk), tf.matMul(scaled, q, true, false)];
        },
      );
    },

    /** The mean of the events that are there, or the first. @param events [rows, length · size] @returns [rows, size] */
    pool: (events: Tensor2D, length: number, mode: 'mean' | 'last'): Tensor2D =>
      op(
        [events],
        () => run('Pool', { k: events }, { length, mode }),
        (dy, [k]) => run('PoolGrad', { dy, k }, { length, mode }),
      ),

    /** x0 ⊙ (xl W + b) + xl. @param weights [n, n] @see Wang et al. 2021, "DCN V2", equation 1 */
    crossFull,

    /** x0 ⊙ ((xl V) U + b) + xl. @param v [n, rank] @param u [rank, n] @see Wang et al. 2021, "DCN V2", equation 2 */
    crossLowRank: (x0: Tensor2D, xl: Tensor2D, v: Tensor2D, u: Tensor2D, bias: Tensor | null): Tensor2D =>
      add(multiply(x0, dense(dense(xl, v, null), u, bias)), xl),

    /** Side by side; inputs of one row are repeated to the others' rows. */
    concat,

    /** x as it is, with no gradient. */
    stopGradient: (x: Tensor2D): Tensor2D =>
      op(
        [],
        () => tf.clone(x),
        () => [],
      ),

    /** Σ_j x_ij. @returns [rows, 1] */
    sumWidth: (x: Tensor2D): Tensor2D =>
      op(
        [x],
        () => run('RowSums', { x }),
        (dy) => run('SpreadRows', { v: dy }, { width: x.shape[1] }),
      ),

    /** x_ij + b_j. @param bias [width] */
    addBias: (x: Tensor2D, bias: Tensor): Tensor2D =>
      op(
        [x, bias],
        () => tf.add(x, bias),
        (dy) => [tf.clone(dy), tf.sum(dy, 0)],
      ),

    /** x ⊙ mask where the mask is no variable, as in dropout; no gradient flows to it. */
    mask: (x: Tensor2D, mask: Tensor2D): Tensor2D =>
      op(
        [x, mask],
        () => tf.mul(x, mask),
        (dy, [, mask]) => [tf.mul(dy, mask), tf.zerosLike(mask)],
      ),

    /** Over the width of each row. */
    softmax: (x: Tensor2D): Tensor2D =>
      op(
        [x],
        () => tf.softmax(x),
        (dy, _, y) => run('SoftmaxGrad', { dy, y }),
      ),

    /**
     * The mean over rows of w [−y ln p − (1 − y) ln(1 − p)], p = Π_k σ(z_k): a plain log loss with one column, ESMM's
     * pCTCVR with two. Computed in float64 from the downloaded logits, so it is exact where float32 would saturate.
     * @param logits [rows, k] @param labels [rows] in [0, 1] @param weights [rows], or none for 1
     * @param divisor what the sum is divided by; rows where absent
     */
    productBce(logits: Tensor2D, labels: Float32Array, weights: Float32Array | null, divisor?: number): Scalar {
      const [rows, heads] = logits.shape;
      return tf.customGrad(() => {
        const grad = new Float32Array(rows * heads);
        const loss = productBce(logits.dataSync() as Float32Array, heads, labels, weights, 1 / (divisor ?? rows), grad);
        return {
          value: tf.scalar(loss),
          gradFunc: (dy: Tensor) => tf.mul(tf.tensor2d(grad, [rows, heads]), dy) as Tensor,
        };
      })(logits) as Scalar;
    },

    /** As `listCrossEntropy` has it, in float64 from the downloaded logits. @param logits [rows, 1] */
    listCrossEntropy(logits: Tensor2D, { offsets, teacher }: RankedLists, temperature: number, scale: number): Scalar {
      const { shape } = logits;
      return tf.customGrad(() => {
        const grad = new Float32Array(shape[0]);
        const z = logits.dataSync() as Float32Array;
        const loss = listCrossEntropy(z, teacher, offsets, temperature, scale, grad);
        return { value: tf.scalar(loss), gradFunc: (dy: Tensor) => tf.mul(tf.tensor2d(grad, shape), dy) as Tensor };
      })(logits) as Scalar;
    },

    /** The sum of the losses of a step. */
    total: (losses: readonly Scalar[]): Scalar =>
      tf.customGrad(() => ({
        value: tf.addN([...losses]),
        gradFunc: (dy: Tensor) => losses.map(() => tf.clone(dy)),
      }))(...losses) as Scalar,
  };
}
