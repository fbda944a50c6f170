import { env, InferenceSession, Tensor } from 'onnxruntime-node';
import { onnxFeeds } from '../../src/scoring/onnx/feeds.ts';
import { outputName } from '../../src/scoring/onnx/layers.ts';
import { type PeerRow, readTask, serveRows } from './serveRows.ts';

/*
 * onnxruntime-node on both exported graphs.
 *
 *   onnxruntimeWorker.ts TASK_FILE
 */

const task = readTask(process.argv[2]);
const outputs = task.tasks.map(outputName);

/** @param rows what request fields come as: repeated for `each` candidate, or as `one` row */
const rowOf = (file: string, rows: 'one' | 'each') => async (): Promise<PeerRow> => {
  const session = await InferenceSession.create(file, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
  const fields = task.fields.map((field) => ({
    ...field,
    kind: 'id' as const,
    rows: field.rows === 'one' ? rows : 'each',
  }));
  return {
    ready(input) {
      const feeds = Object.fromEntries(
        onnxFeeds(fields as never, input).map(({ name, type, data, shape }) => [name, new Tensor(type, data, shape)]),
      );
      return async () => {
        const answers = await session.run(feeds);
        return outputs.map((name) => answers[name].data as Float32Array);
      };
    },
  };
};

await serveRows(task, `onnxruntime-node ${env.versions.node}`, {
  'fp32, as it is': rowOf(task.graphs.asItIs, 'each'),
  'fp32, planned': rowOf(task.graphs.planned, 'one'),
});
