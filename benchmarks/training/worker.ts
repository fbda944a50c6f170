import { readFileSync } from 'node:fs';
import { buildModel } from '../../src/model/architectures.ts';
import type { EncodedColumn } from '../../src/schema/encoded.ts';
import { createTfjsLearner } from '../../src/scoring/engines/tfjs/learner.ts';
import { loadBackend } from '../../src/scoring/engines/tfjs/load.ts';
import { trainingDefaults } from '../../training/config.ts';
import type { EncodedChunk } from '../../training/dataset/encodedStore.ts';
import { Trainer } from '../../training/trainer.ts';
import { batchSize, fieldCount, fittedOf, hidden, schema } from './task.ts';

/*
 * Trains on the rows of a file and prints one JSON object. A process of its own, so that its peak memory is its own.
 *
 *   worker.ts BACKEND FILE WARM_UP_STEPS
 */

const [, , backendName, file, warmUp] = process.argv;
const bytes = readFileSync(file);
const rows = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
const stride = fieldCount + 2;
const steps = Math.floor(rows.length / stride / batchSize);
const warmUpSteps = Number(warmUp);

const backend = await loadBackend(backendName, { bfloat16: true });
const typed = buildModel('senet-dnn', schema, { hidden });
const trainer = new Trainer({
  typed,
  fitted: fittedOf(),
  options: { ...trainingDefaults, batchSize, decayTo: 1 },
  seed: 1,
  createLearner: (options) => createTfjsLearner(typed, backend, options),
});
const losses: number[] = [];
let startNs = process.hrtime.bigint();
for (let step = 0; step < steps; step++) {
  if (step === warmUpSteps) startNs = process.hrtime.bigint();
  losses.push(trainer.step(batchAt(step), 1)[0]);
}
const seconds = Number(process.hrtime.bigint() - startNs) / 1e9;
const last = losses.slice(-Math.max(1, Math.floor(steps / 5)));
process.stdout.write(
  JSON.stringify({
    device: backend.device,
    examplesPerSecond: ((steps - warmUpSteps) * batchSize) / seconds,
    peakMemoryMiB: process.resourceUsage().maxRSS / 1024,
    logLoss: last.reduce((sum, loss) => sum + loss, 0) / last.length,
  }),
);

/** A batch from the file's rows, gathered as the trainer's own batches are. */
function batchAt(step: number): EncodedChunk {
  const column = (c: number) => {
    const out = new Int32Array(batchSize);
    for (let row = 0; row < batchSize; row++) out[row] = rows[(step * batchSize + row) * stride + c];
    return out;
  };
  const fields = new Map<string, EncodedColumn>(
    schema.fields.map(({ name }, f) => [name, { kind: 'id', ids: column(f) }]),
  );
  const labels = new Map([
    ['click', Float32Array.from(column(fieldCount))],
    ['conversion', Float32Array.from(column(fieldCount + 1))],
  ]);
  return { rowCount: batchSize, fields, labels, truths: new Map() };
}
