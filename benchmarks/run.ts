import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textTable } from '../src/commands/output.ts';
import { ingest } from './ingest.bench.ts';
import { describeMachine } from './machine.ts';
import { quality } from './quality.bench.ts';
import type { Topic, TopicResult } from './topic.ts';
import { training } from './training.bench.ts';

/** Every topic; `npm run bench -- TOPIC…` runs some, without names all. */
const topics: readonly Topic[] = [quality, training, ingest];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    small: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    keep: { type: 'boolean', default: false },
  },
});
const unknown = positionals.filter((name) => !topics.some((topic) => topic.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `bench: no topic ${unknown.join(', ')}; the topics are\n${topics.map((topic) => `  ${topic.name}: ${topic.summary}\n`).join('')}`,
  );
  process.exit(2);
}
for (const topic of topics) {
  if (positionals.length > 0 && !positionals.includes(topic.name)) continue;
  const log = (text: string) => process.stderr.write(`${text}\n`);
  const result = await topic.run({ small: values.small, rounds: Number(values.rounds), log });
  process.stdout.write(
    `\n${topic.name}: ${result.setting}\n\n${tableOf(result)}\n${result.notes.map((note) => `- ${note}\n`).join('')}`,
  );
  if (values.keep) keep(topic, result);
}

function tableOf({ rows }: TopicResult): string {
  const head = Object.keys(rows[0] ?? {});
  return textTable(
    head,
    rows.map((row) =>
      head.map((name) =>
        row[name] === null
          ? '–'
          : typeof row[name] === 'number'
            ? row[name].toLocaleString('en', { maximumFractionDigits: 4 })
            : row[name],
      ),
    ),
  );
}

/** Results kept in the repository: with --keep only, so that a look at a busy machine leaves no trace. */
function keep(topic: Topic, result: TopicResult): void {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`;
  const file = new URL(`${topic.name}.json`, folder);
  writeFileSync(
    file,
    `${JSON.stringify({ topic: topic.name, command, machine: describeMachine(new Date()), ...result }, null, 2)}\n`,
  );
  process.stderr.write(`kept ${file.pathname}\n`);
}
