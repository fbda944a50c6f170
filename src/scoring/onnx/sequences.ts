import type { OnnxGraph } from './onnxGraph.ts';

/*
 * Sequences in ONNX's operators: values are [rows, length · size], as everywhere, and either may have one row for all.
 */

/** [rows, length · size] → [rows, length, size] */
const asEvents = (graph: OnnxGraph, label: string, x: string, length: number, size: number): string =>
  graph.node(label, 'Reshape', [x, graph.integers(0, length, size)]);

/** [rows, length]: 1 where an event's last number is above 0. @param events [rows, length, size] */
function there(graph: OnnxGraph, label: string, events: string, size: number): string {
  const [from, to, axis] = [size - 1, size, 2].map((n) => graph.integers(n));
  const last = graph.node(label, 'Squeeze', [graph.node(label, 'Slice', [events, from, to, axis]), axis]);
  return graph.node(label, 'Cast', [graph.node(label, 'Greater', [last, graph.scalar(0)])], { to: 1 });
}

/** Σ_i a_i·k_i. @param shares [rows, length] @param events [rows, length, size] */
function sumOver(graph: OnnxGraph, label: string, shares: string, events: string): string {
  const row = graph.node(label, 'Unsqueeze', [shares, graph.integers(1)]);
  return graph.node(label, 'Squeeze', [graph.node(label, 'MatMul', [row, events]), graph.integers(1)]);
}

/** κ_i = k_i·W for each event: [rows, length · units]. */
export function projectSequence(
  graph: OnnxGraph,
  label: string,
  x: string,
  w: string,
  { length, size, units }: { length: number; size: number; units: number },
): string {
  const keys = graph.node(label, 'MatMul', [asEvents(graph, label, x, length, size), w]);
  return graph.node(label, 'Reshape', [keys, graph.integers(0, length * units)]);
}

export interface Attention {
  readonly length: number;
  readonly size: number;
  readonly units: number;
  readonly weights: 'softmax' | 'sigmoid';
  /** Whether keys and events have one row for all: then two products of plain matrices do. */
  readonly shared: boolean;
}

/** y = Σ_i a_i·k_i, a = softmax or σ of ⟨q, κ_i⟩/√units over the events that are there. */
export function attend(
  graph: OnnxGraph,
  label: string,
  { query, keys, events }: Readonly<Record<'query' | 'keys' | 'events', string>>,
  { length, size, units, weights, shared }: Attention,
): string {
  const k = asEvents(graph, label, events, length, size);
  const present = there(graph, label, k, size);
  const products = shared
    ? graph.node(label, 'Gemm', [query, graph.node(label, 'Reshape', [keys, graph.integers(length, units)])], {
        transB: 1,
      })
    : productsOfEach(graph, label, query, asEvents(graph, label, keys, length, units));
  const scores = graph.node(label, 'Mul', [products, graph.scalar(1 / Math.sqrt(units))]);
  const absent = graph.node(label, 'Sub', [present, graph.scalar(1)]);
  const far = graph.node(label, 'Mul', [absent, graph.scalar(1e30)]);
  const a =
    weights === 'sigmoid'
      ? graph.node(label, 'Sigmoid', [scores])
      : graph.node(label, 'Softmax', [graph.node(label, 'Add', [scores, far])], { axis: 1 });
  const shares = graph.node(label, 'Mul', [a, present]);
  if (!shared) return sumOver(graph, label, shares, k);
  return graph.node(label, 'MatMul', [shares, graph.node(label, 'Reshape', [events, graph.integers(length, size)])]);
}

/** ⟨q, κ_i⟩ where every row has keys of its own. @param keys [rows, length, units] */
function productsOfEach(graph: OnnxGraph, label: string, query: string, keys: string): string {
  const column = graph.node(label, 'Unsqueeze', [query, graph.integers(2)]);
  return graph.node(label, 'Squeeze', [graph.node(label, 'MatMul', [keys, column]), graph.integers(2)]);
}

/** The mean of the events that are there, or the first. */
export function pool(
  graph: OnnxGraph,
  label: string,
  x: string,
  { length, size, mode }: { length: number; size: number; mode: 'mean' | 'last' },
): string {
  const events = asEvents(graph, label, x, length, size);
  const present = there(graph, label, events, size);
  if (mode === 'last') {
    const first = (value: string) =>
      graph.node(label, 'Slice', [value, graph.integers(0), graph.integers(1), graph.integers(1)]);
    return sumOver(graph, label, first(present), first(events));
  }
  const count = graph.node(label, 'ReduceSum', [present, graph.integers(1)], { keepdims: 1 });
  const share = graph.node(label, 'Div', [present, graph.node(label, 'Max', [count, graph.scalar(1)])]);
  return sumOver(graph, label, share, events);
}
