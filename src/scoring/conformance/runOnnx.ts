import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ExportedGraph } from '../onnx/exportModel.ts';
import { onnxFeeds } from '../onnx/feeds.ts';
import type { ScoringInput } from '../scorer.ts';

/** What onnxruntime answers for an exported graph, by task. */
export async function runOnnx(
  { graph, fields }: ExportedGraph,
  ...inputs: ScoringInput[]
): Promise<Map<string, Float32Array>[]> {
  const { model } = graph.finish({ name: 'test', metadata: {}, dataName: 'unused' });
  const session = await InferenceSession.create(Buffer.concat(model), { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const answers: Map<string, Float32Array>[] = [];
    for (const input of inputs) {
      const feeds = onnxFeeds(fields, input).map(({ name, type, data, shape }) => [
        name,
        new Tensor(type, data, shape),
      ]);
      const outputs = await session.run(Object.fromEntries(feeds));
      const answer = (name: string) => {
        const p = outputs[name].data as Float32Array;
        // Of a model that takes nothing but the request: one answer for all rows.
        return p.length === 1 ? new Float32Array(input.rowCount).fill(p[0]) : p;
      };
      answers.push(new Map(session.outputNames.map((name) => [name.replace(/^p_/, ''), answer(name)])));
    }
    return answers;
  } finally {
    await session.release();
  }
}
