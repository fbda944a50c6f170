import type { KernelBackend, Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { Tf } from './kernels.ts';
import { registerComposedKernels } from './kernelsComposed.ts';
import { type HostMemory, registerHostKernels } from './kernelsHost.ts';

interface WasmBackend extends KernelBackend {
  makeOutput(shape: number[], dtype: 'float32'): TensorInfo;
  typedArrayFromHeap(info: TensorInfo): Float32Array;
}

interface CpuBackend extends KernelBackend {
  makeTensorInfo(shape: number[], dtype: 'float32', values: Float32Array): TensorInfo;
  data: { get(dataId: object): { values: Float32Array } };
}

interface TensorflowBackend extends KernelBackend {
  binding: { TF_ATTR_TYPE: number; TF_FLOAT: number };
  executeSingleOutput(op: string, attributes: object[], inputs: Tensor[]): Tensor;
}

const registered = new WeakSet<object>();

/**
 * Gives the current backend the kernels that `ops.ts` runs on, and replaces the stock ones that are slow.
 * The backend must be ready. Doing it twice changes nothing.
 */
export function registerKernels(tf: Tf): void {
  const backend = tf.backend();
  if (registered.has(backend)) return;
  registered.add(backend);
  registerGradients(tf);
  const name = tf.getBackend();
  if (name === 'wasm') {
    registerHostKernels(tf, name, wasmMemory(backend as WasmBackend));
  } else if (name === 'cpu') {
    registerHostKernels(tf, name, cpuMemory(backend as CpuBackend));
  } else {
    registerComposedKernels(tf, name, name === 'tensorflow' ? tensorflowReluGrad(backend as TensorflowBackend) : null);
  }
}

/** tfjs-core on its own knows no gradients; these are what may stand between two of our ops, which bring theirs. */
function registerGradients(tf: Tf): void {
  const missing = (name: string) => tf.getGradient(name) === undefined;
  if (missing('Identity')) {
    tf.registerGradient({ kernelName: 'Identity', gradFunc: (dy) => ({ x: () => tf.clone(dy as Tensor) }) });
  }
  if (missing('Reshape')) {
    tf.registerGradient({
      kernelName: 'Reshape',
      inputsToSave: ['x'],
      gradFunc: (dy, [x]) => ({ x: () => tf.reshape(dy as Tensor, x.shape) }),
    });
  }
  if (missing('Add')) {
    tf.registerGradient({
      kernelName: 'Add',
      inputsToSave: ['a', 'b'],
      gradFunc: (dy, [a, b]) => ({ a: () => summedTo(tf, dy as Tensor, a), b: () => summedTo(tf, dy as Tensor, b) }),
    });
  }
}

/** dy summed over the axes along which `to` was broadcast. */
function summedTo(tf: Tf, dy: Tensor, to: Tensor): Tensor {
  const axes = tf.broadcast_util.getReductionAxes(to.shape, dy.shape);
  return tf.reshape(axes.length > 0 ? tf.sum(dy, axes) : dy, to.shape);
}

function wasmMemory(backend: WasmBackend): HostMemory {
  return {
    make: (shape) => backend.makeOutput(shape, 'float32'),
    view: (info) => backend.typedArrayFromHeap(info),
    share: (info) => shared(backend, info),
    dispose: (info) => void backend.disposeData(info.dataId),
  };
}

function cpuMemory(backend: CpuBackend): HostMemory {
  return {
    make: (shape) =>
      backend.makeTensorInfo(shape, 'float32', new Float32Array(shape.reduce((product, size) => product * size, 1))),
    view: (info) => backend.data.get(info.dataId).values,
    share: (info) => shared(backend, info),
    dispose: (info) => void backend.disposeData(info.dataId),
  };
}

function shared(backend: KernelBackend, info: TensorInfo): TensorInfo {
  backend.incRef(info.dataId);
  return { dataId: info.dataId, shape: info.shape, dtype: info.dtype };
}

/** TensorFlow's own ReluGrad: one pass, where tfjs builds it from `Step`, which is seven. */
function tensorflowReluGrad(backend: TensorflowBackend): (dy: Tensor, y: Tensor) => Tensor {
  const attributes = [{ name: 'T', type: backend.binding.TF_ATTR_TYPE, value: backend.binding.TF_FLOAT }];
  return (dy, y) => backend.executeSingleOutput('ReluGrad', attributes, [dy, y]);
}
