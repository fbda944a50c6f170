import { readFileSync } from 'node:fs';
import { messageOf } from '../../src/core/errors.ts';
import type { Bundle } from '../../src/model/bundle.ts';
import { readBundle, writeBundle } from '../../src/model/bundleFiles.ts';
import { createEncoder } from '../../src/schema/encoder.ts';
import { nativeMapFile } from '../../src/scoring/engines/native/load.ts';
import { createScorer } from '../../src/scoring/engines.ts';
import { batchFromJson } from '../../src/scoring/golden.ts';
import type { Scorer } from '../../src/scoring/scorer.ts';
import { loadBundleOf, rawRequest } from './bundle.ts';

/*
 * A process of its own: `make FOLDER ADS` writes a bundle; `load FOLDER ADS ENGINE` loads it, answers one request of 500
 * candidates, prints what that took as one JSON object, and holds the bundle until its standard input ends.
 */

const [, , command, folder, ads, engine] = process.argv;

/** What loading took, and what it leaves. */
export interface LoadMeasurement {
  readonly engine: string;
  readonly mapped: boolean;
  readonly readMs: number;
  readonly scorerMs: number;
  readonly answerMs: number;
  /** Of the process: what no other process shares, and what has been written to besides. */
  readonly privateMiB: number;
  readonly dirtyMiB: number;
}

try {
  if (command === 'make') await writeBundle(folder, loadBundleOf(Number(ads)));
  else {
    const measurement = await measure(Number(ads));
    process.stdout.write(`${JSON.stringify(measurement)}\n`);
    process.stdin.resume();
    process.stdin.on('end', () => process.exit());
  }
} catch (error) {
  process.stderr.write(messageOf(error));
  process.exitCode = 1;
}

async function measure(adCount: number): Promise<LoadMeasurement> {
  const mapFile = nativeMapFile();
  const raw = rawRequest(adCount, 500, 2);
  await importEngine();
  const times = [performance.now()];
  const bundle = await readBundle(folder, { mapFile });
  times.push(performance.now());
  const { scorer } = await createScorer(bundle, { engine });
  times.push(performance.now());
  const clicks = answer(bundle, scorer, raw);
  times.push(performance.now());
  if (!clicks.every((p) => p > 0 && p < 1)) throw new Error('the answer is no probabilities');
  const [readMs, scorerMs, answerMs] = times.slice(1).map((time, i) => time - times[i]);
  const memory = { privateMiB: memoryMiB(/^Private_\w+: +(\d+)/gm), dirtyMiB: memoryMiB(/^Private_Dirty: +(\d+)/gm) };
  return { engine: scorer.engine, mapped: mapFile !== undefined, readMs, scorerMs, answerMs, ...memory };
}

/** Code is compiled on the way in from its sources, which a user's is not. */
async function importEngine(): Promise<void> {
  if (engine === 'tfjs') await import('../../src/scoring/engines/tfjs/scorer.ts');
  if (engine === 'native') await import('../../src/scoring/engines/native/loadScorer.ts');
  if (engine === 'reference') await import('../../src/scoring/engines/reference/scorer.ts');
}

/** From raw values to probabilities: the user's fields as one row. */
function answer({ typed, fitted }: Bundle, scorer: Scorer, raw: ReturnType<typeof rawRequest>): Float32Array {
  const encoder = createEncoder(typed.schema, fitted);
  const encode = (columns: Record<string, number[]>, rowCount: number) =>
    encoder.encode(
      batchFromJson(columns, rowCount, fitted.columnTypes),
      typed.schema.fields.filter(({ name }) => Object.hasOwn(columns, name)),
    ).fields;
  const rowCount = raw.ads.adId.length;
  const fields = new Map([...encode(raw.user, 1), ...encode(raw.ads, rowCount)]);
  return scorer.score({ rowCount, fields }).get('click') as Float32Array;
}

/** The sum of the lines of this process's memory that match. */
function memoryMiB(lines: RegExp): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return [...text.matchAll(lines)].reduce((sum, [, kib]) => sum + Number(kib) / 1024, 0);
}
