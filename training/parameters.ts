import { createRandom, type Random } from '../src/core/random.ts';
import { tableWeight } from '../src/model/bundle.ts';
import type { TypedModel } from '../src/model/checkModel.ts';
import type { ParameterSpec } from '../src/model/ops.ts';
import type { Tensor } from '../src/model/safetensors.ts';
import type { Fitted } from '../src/schema/fitted.ts';

export type Weights = Map<string, Tensor<Float32Array>>;

/**
 * What a model begins with: embeddings normal with deviation `embeddingScale`, matrices uniform within
 * ±√(6/(in + out)) (Glorot and Bengio 2010), biases zero. Each tensor draws from a generator of its own name.
 */
export function initialWeights(typed: TypedModel, fitted: Fitted, embeddingScale: number, seed: number): Weights {
  const random = createRandom(seed).fork('weights');
  const weights: Weights = new Map();
  for (const table of typed.model.tables) {
    const rows = fitted.vocabularies.get(table.vocabulary)?.rows ?? 0;
    const name = tableWeight(table.name);
    const draws = random.fork(name);
    const values = new Float32Array(rows * table.size);
    for (let i = 0; i < values.length; i++) values[i] = embeddingScale * draws.normal();
    weights.set(name, { shape: [rows, table.size], values });
  }
  for (const [output, specs] of typed.parameters) {
    for (const spec of specs) {
      const name = `${output}.${spec.name}`;
      weights.set(name, { shape: spec.shape, values: initialParameter(spec, random.fork(name)) });
    }
  }
  return weights;
}

function initialParameter({ shape, init }: ParameterSpec, random: Random): Float32Array {
  const values = new Float32Array(shape.reduce((product, n) => product * n, 1));
  if (init === 'zeros') return values;
  const limit = Math.sqrt(6 / (shape[0] + shape[1]));
  for (let i = 0; i < values.length; i++) values[i] = limit * (2 * random.next() - 1);
  return values;
}

export function copyWeights(weights: ReadonlyMap<string, Tensor<Float32Array>>): Weights {
  return new Map([...weights].map(([name, { shape, values }]) => [name, { shape, values: values.slice() }]));
}
