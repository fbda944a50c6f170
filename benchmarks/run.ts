import { mkdirSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { textTable } from '../src/commands/output.ts';
import { type Precision, precisions } from '../src/scoring/engines.ts';
import { describeMachine } from './machine.ts';
import type { Topic, TopicOptions, TopicResult } from './topic.ts';
import { topics } from './topics.ts';

const usage = `npm run bench -- [TOPIC…] [--candidates N,…] [--engine E,…] [--precision P,…] [--rounds N] [--small] [--keep]
topics:
${topics.map((topic) => `  ${topic.name}: ${topic.summary}\n`).join('')}`;

const { names, options, keep } = readArguments();
for (const topic of topics) {
  if (names.length > 0 && !names.includes(topic.name)) continue;
  const result = await topic.run(options);
  process.stdout.write(
    `\n${topic.name}: ${result.setting}\n\n${tableOf(result)}\n${result.notes.map((note) => `- ${note}\n`).join('')}`,
  );
  if (keep) keepResult(topic, result);
}
// Not every engine lets go of its threads.
process.exit(0);

function readArguments(): { names: string[]; options: TopicOptions; keep: boolean } {
  const { values, positionals } = parse();
  const unknown = positionals.filter((name) => !topics.some((topic) => topic.name === name));
  if (unknown.length > 0) fail(`no topic ${unknown.join(', ')}`);
  const list = (text: string | undefined) => text?.split(',').filter((item) => item !== '');
  const wrong = list(values.precision)?.filter((name) => !precisions.includes(name as Precision)) ?? [];
  if (wrong.length > 0) fail(`no precision ${wrong.join(', ')}; use ${precisions.join(', ')}`);
  const whole = (text: string, of: string) =>
    /^[1-9]\d{0,6}$/.test(text) ? Number(text) : fail(`${of} is '${text}'; expected a whole number from 1 up`);
  return {
    names: positionals,
    keep: values.keep,
    options: {
      small: values.small,
      rounds: whole(values.rounds, '--rounds'),
      log: (text) => process.stderr.write(`${text}\n`),
      candidates: list(values.candidates)?.map((text) => whole(text, '--candidates')),
      engines: list(values.engine),
      precisions: list(values.precision) as Precision[] | undefined,
    },
  };
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        small: { type: 'boolean', default: false },
        rounds: { type: 'string', default: '3' },
        candidates: { type: 'string' },
        engine: { type: 'string' },
        precision: { type: 'string' },
        keep: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

function fail(why: string): never {
  process.stderr.write(`bench: ${why}\n${usage}`);
  process.exit(2);
}

/** Texts to the left, numbers to the right; columns that no row fills are left out. */
function tableOf({ rows }: TopicResult): string {
  const head = [...new Set(rows.flatMap((row) => Object.keys(row)))].filter((name) =>
    rows.some((row) => (row[name] ?? null) !== null),
  );
  const left = head.filter((name) => rows.some((row) => typeof row[name] === 'string'));
  return textTable(
    head,
    rows.map((row) => head.map((name) => cellOf(row[name] ?? null))),
    left,
  );
}

function cellOf(value: string | number | null): string {
  if (value === null) return '–';
  return typeof value === 'number' ? value.toLocaleString('en', { maximumFractionDigits: 5 }) : value;
}

/** Results kept in the repository: with --keep only, so that a look at a busy machine leaves no trace. */
function keepResult(topic: Topic, { pictures = {}, ...result }: TopicResult): void {
  const folder = new URL('results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  // What a slower instruction set does is a result of its own.
  const isa = process.env.LIMELIGHT_ISA;
  const name = isa === undefined ? topic.name : `${topic.name}.${isa}`;
  const command = `${isa === undefined ? '' : `LIMELIGHT_ISA=${isa} `}npm run bench -- ${process.argv.slice(2).join(' ')}`;
  const content = { topic: name, command, machine: describeMachine(new Date()), ...result };
  const files = { [`${name}.json`]: `${JSON.stringify(content, null, 2)}\n`, ...pictures };
  for (const [file, text] of Object.entries(files)) {
    writeFileSync(new URL(file, folder), text);
    process.stderr.write(`kept benchmarks/results/${file}\n`);
  }
}
