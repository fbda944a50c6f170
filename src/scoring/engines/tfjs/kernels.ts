import type { TensorInfo } from '@tensorflow/tfjs-core';

/** TensorFlow.js, as a value: which copy is used is known only at run time. */
export type Tf = typeof import('@tensorflow/tfjs-core');

/** Any kernel's function, without the loose types of TensorFlow.js. */
export type Kernel = (call: {
  inputs: Record<string, TensorInfo>;
  backend: unknown;
  attrs: Record<string, unknown>;
}) => TensorInfo | TensorInfo[];

/** Puts a kernel in place, over a stock one where there is one. */
export function setKernel(tf: Tf, backendName: string, kernelName: string, kernel: Kernel): void {
  const stock = tf.getKernel(kernelName, backendName);
  if (stock !== undefined) tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel({ ...stock, kernelName, backendName, kernelFunc: kernel as never });
}

/** The function of a registered kernel. */
export function kernelOf(tf: Tf, backendName: string, kernelName: string): Kernel {
  return tf.getKernel(kernelName, backendName).kernelFunc as unknown as Kernel;
}
