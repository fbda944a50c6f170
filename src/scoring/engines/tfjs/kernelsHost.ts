import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Activation } from '../../../model/steps.ts';
import * as loops from './kernelLoops.ts';
import { type Kernel, kernelOf, setKernel, type Tf } from './kernels.ts';
import * as sequences from './sequenceLoops.ts';

/** A backend's tensors as JavaScript arrays. */
export interface HostMemory {
  make(shape: number[]): TensorInfo;
  /** A view of the tensor's values. The next `make` may move memory: make all outputs first, then view. */
  view(info: TensorInfo): Float32Array;
  /** The same values under one more owner. */
  share(info: TensorInfo): TensorInfo;
  dispose(info: TensorInfo): void;
}

type MatMul = (a: TensorInfo, b: TensorInfo, transposeA: boolean, transposeB: boolean) => TensorInfo;

/**
 * Registers our kernels on a backend whose memory JavaScript can see. Matrix products stay with the backend; what is
 * one pass over memory is a plain loop, which beats the chain of stock kernels it stands for.
 */
export function registerHostKernels(tf: Tf, backendName: string, memory: HostMemory): void {
  if (backendName === 'wasm') {
    replaceWasmMatMul(tf, memory);
    // Stock `Identity` copies the values; the tape clones every tensor that it saves.
    setKernel(tf, 'wasm', 'Identity', ({ inputs: { x } }) => memory.share(x));
  }
  registerDense(tf, backendName, memory);
  registerFields(tf, backendName, memory);
  registerRows(tf, backendName, memory);
  registerSequences(tf, backendName, memory);
}

/**
 * Stock `BatchMatMul` runs a naive loop unless both operands are plain: 12 times slower than transposing an operand
 * first. Batches of matrices keep the stock path.
 */
function replaceWasmMatMul(tf: Tf, memory: HostMemory): void {
  const stock = kernelOf(tf, 'wasm', 'BatchMatMul');
  const plain = (info: TensorInfo): TensorInfo => {
    const [rows, cols] = info.shape.slice(-2);
    const out = memory.make([...info.shape.slice(0, -2), cols, rows]);
    loops.transpose(memory.view(info), memory.view(out), rows, cols);
    return out;
  };
  const single = (info: TensorInfo): boolean => info.shape.slice(0, -2).every((size) => size === 1);
  setKernel(tf, 'wasm', 'BatchMatMul', ({ inputs, backend, attrs }) => {
    const turn = single(inputs.a) && single(inputs.b);
    const turnA = turn && attrs.transposeA === true;
    const turnB = turn && attrs.transposeB === true;
    if (!turnA && !turnB) return stock({ inputs, backend, attrs });
    const a = turnA ? plain(inputs.a) : inputs.a;
    const b = turnB ? plain(inputs.b) : inputs.b;
    const out = stock({ inputs: { a, b }, backend, attrs: { transposeA: false, transposeB: false } });
    if (turnA) memory.dispose(a);
    if (turnB) memory.dispose(b);
    return out;
  });
}

function registerDense(tf: Tf, backendName: string, memory: HostMemory): void {
  const fused = kernelOf(tf, backendName, '_FusedMatMul');
  const product = kernelOf(tf, backendName, 'BatchMatMul');
  const flat = (info: TensorInfo): TensorInfo => ({
    dataId: info.dataId,
    dtype: info.dtype,
    shape: [1, ...info.shape],
  });

  setKernel(tf, backendName, 'LimelightDense', ({ inputs, backend, attrs }) => {
    const { x, weights, bias } = inputs;
    const activation = attrs.activation as Activation;
    const y = fused({
      inputs: { a: flat(x), b: flat(weights), ...(bias ? { bias } : {}) },
      backend,
      attrs: {
        transposeA: false,
        transposeB: false,
        activation: activation === 'doubleSigmoid' ? 'sigmoid' : activation,
        leakyreluAlpha: 0,
      },
    }) as TensorInfo;
    y.shape = [x.shape[0], weights.shape[1]];
    if (activation === 'doubleSigmoid') loops.double(memory.view(y));
    return y;
  });

  setKernel(tf, backendName, 'LimelightDenseGrad', ({ inputs, backend, attrs }) => {
    const { dy, y, x, weights } = inputs;
    const activation = attrs.activation as Activation;
    const [rows, width] = dy.shape;
    const matMul: MatMul = (a, b, transposeA, transposeB) =>
      product({ inputs: { a, b }, backend, attrs: { transposeA, transposeB } }) as TensorInfo;
    let dz = dy;
    if (activation !== 'linear') {
      dz = memory.make([rows, width]);
      loops.activationGrad(activation, memory.view(dy), memory.view(y), memory.view(dz));
    }
    const db = memory.make([width]);
    loops.columnSums(memory.view(dz), memory.view(db), rows, width);
    const dx = matMul(dz, weights, false, true);
    const dw = matMul(x, dz, true, false);
    if (dz !== dy) memory.dispose(dz);
    return [dx, dw, db];
  });
}

function registerFields(tf: Tf, backendName: string, memory: HostMemory): void {
  const { make, view } = memory;
  const set = (name: string, kernel: Kernel) => setKernel(tf, backendName, `Limelight${name}`, kernel);
  const sizesOf = (attrs: Record<string, unknown>) => attrs.sizes as readonly number[];
  const fieldsOf = (attrs: Record<string, unknown>) => [attrs.fields as number, attrs.dim as number] as const;

  set('FieldMeans', ({ inputs: { x }, attrs }) => {
    const z = make([x.shape[0], sizesOf(attrs).length]);
    loops.fieldMeans(view(x), view(z), x.shape[0], sizesOf(attrs));
    return z;
  });
  set('FieldMeansGrad', ({ inputs: { dz }, attrs }) => {
    const dx = make([dz.shape[0], sizesOf(attrs).reduce((sum, size) => sum + size, 0)]);
    loops.fieldMeansGrad(view(dz), view(dx), dz.shape[0], sizesOf(attrs));
    return dx;
  });
  set('ScaleFields', ({ inputs: { x, a }, attrs }) => {
    const y = make(x.shape);
    loops.scaleFields(view(x), view(a), view(y), x.shape[0], sizesOf(attrs));
    return y;
  });
  set('ScaleFieldsGrad', ({ inputs: { dy, x, a }, attrs }) => {
    const dx = make(x.shape);
    const da = make(a.shape);
    loops.scaleFieldsGrad(view(dy), view(x), view(a), view(dx), view(da), x.shape[0], sizesOf(attrs));
    return [dx, da];
  });
  set('Inner', ({ inputs: { x }, attrs }) => {
    const [fields, dim] = fieldsOf(attrs);
    const out = make([x.shape[0], (fields * (fields - 1)) / 2]);
    loops.innerProducts(view(x), view(out), x.shape[0], fields, dim);
    return out;
  });
  set('InnerGrad', ({ inputs: { dy, x }, attrs }) => {
    const dx = make(x.shape);
    loops.innerProductsGrad(view(dy), view(x), view(dx), x.shape[0], ...fieldsOf(attrs));
    return dx;
  });
  set('Fm', ({ inputs: { x }, attrs }) => {
    const out = make([x.shape[0], 1]);
    loops.fmTerm(view(x), view(out), x.shape[0], ...fieldsOf(attrs));
    return out;
  });
  set('FmGrad', ({ inputs: { dy, x }, attrs }) => {
    const dx = make(x.shape);
    loops.fmTermGrad(view(dy), view(x), view(dx), x.shape[0], ...fieldsOf(attrs));
    return dx;
  });
}

function registerRows(tf: Tf, backendName: string, memory: HostMemory): void {
  const { make, view } = memory;
  const set = (name: string, kernel: Kernel) => setKernel(tf, backendName, `Limelight${name}`, kernel);

  set('RowSums', ({ inputs: { x } }) => {
    const out = make([x.shape[0], 1]);
    loops.rowSums(view(x), view(out), x.shape[0], x.shape[1]);
    return out;
  });
  set('SpreadRows', ({ inputs: { v }, attrs }) => {
    const width = attrs.width as number;
    const out = make([v.shape[0], width]);
    loops.spreadRows(view(v), view(out), v.shape[0], width);
    return out;
  });
  set('SoftmaxGrad', ({ inputs: { dy, y } }) => {
    const dz = make(y.shape);
    loops.softmaxGrad(view(dy), view(y), view(dz), y.shape[0], y.shape[1]);
    return dz;
  });
}

function registerSequences(tf: Tf, backendName: string, memory: HostMemory): void {
  const { make, view } = memory;
  const set = (name: string, kernel: Kernel) => setKernel(tf, backendName, `Limelight${name}`, kernel);
  const lengthOf = (attrs: Record<string, unknown>) => attrs.length as number;
  const weightsOf = (attrs: Record<string, unknown>) => attrs.weights as 'softmax' | 'sigmoid';
  const isMean = (attrs: Record<string, unknown>) => attrs.mode === 'mean';

  set('Attend', ({ inputs: { k, u }, attrs }) => {
    const y = make(u.shape);
    sequences.attend(view(k), view(u), view(y), u.shape[0], lengthOf(attrs), weightsOf(attrs));
    return y;
  });
  set('AttendGrad', ({ inputs: { dy, k, u }, attrs }) => {
    const [dk, du] = [make(k.shape), make(u.shape)];
    const gradients = { dk: view(dk), du: view(du) };
    sequences.attendGrad(view(dy), view(k), view(u), gradients, u.shape[0], lengthOf(attrs), weightsOf(attrs));
    return [dk, du];
  });
  set('Pool', ({ inputs: { k }, attrs }) => {
    const y = make([k.shape[0], k.shape[1] / lengthOf(attrs)]);
    sequences.pool(view(k), view(y), k.shape[0], lengthOf(attrs), isMean(attrs));
    return y;
  });
  set('PoolGrad', ({ inputs: { dy, k }, attrs }) => {
    const dk = make(k.shape);
    sequences.poolGrad(view(dy), view(k), view(dk), k.shape[0], lengthOf(attrs), isMean(attrs));
    return dk;
  });
}
