import { type Command, InvalidArgumentError } from 'commander';
import type { ImportResult } from '../../data/csv/importCsv.ts';
import type { Schema } from '../schema/schema.ts';
import type { CsvType } from '../tables/csvTypes.ts';
import { print } from './output.ts';

export function addImport(program: Command): void {
  const command = program.command('import').description('write a public log, or CSV files of your own, as Parquet');
  command
    .command('csv')
    .description('CSV or TSV files of one kind, gzip too, as one table')
    .argument('<file...>', 'the files, in order')
    .requiredOption('--out <folder>', 'must be new or empty')
    .option('--schema <file>', 'take the types of numbers, and the time column, from a schema')
    .option('--time-column <name>', 'write one folder a day by this column')
    .option('--delimiter <character>', 'inferred where absent; \\t for a tab')
    .option('--no-header', 'the first line is data; columns are named c0, c1, …')
    .option(
      '--type <column=type>',
      'integer, number, text, boolean or timestamp in place of the inferred type; may be repeated',
      columnType,
    )
    .action(runImportCsv);
  for (const { name, description, load } of publicLogs) {
    command
      .command(name)
      .description(description)
      .requiredOption('--from <folder>', 'where the files are')
      .requiredOption('--out <folder>', 'must be new or empty')
      .action(async (flags: { from: string; out: string }) => {
        const importLog = await load();
        printImport(flags.out, await importLog(flags.from, flags.out));
      });
  }
}

interface PublicLog {
  readonly name: string;
  readonly description: string;
  load(): Promise<(fromDir: string, outDir: string) => Promise<ImportResult>>;
}

const publicLogs: readonly PublicLog[] = [
  {
    name: 'kuairand',
    description: 'KuaiRand: every impressions_*.csv.gz of a folder, joined with its user and video tables',
    load: async () => (await import('../../data/kuairand/importKuairand.ts')).importKuairand,
  },
  {
    name: 'obd',
    description: 'Open Bandit Dataset: every <policy>_<campaign>.csv.gz of a folder, joined with its item contexts',
    load: async () => (await import('../../data/obd/importObd.ts')).importObd,
  },
  {
    name: 'upworthy',
    description: 'Upworthy Research Archive: every packages_*.csv.gz of a folder, a row an arm of a randomised test',
    load: async () => (await import('../../data/upworthy/importUpworthy.ts')).importUpworthy,
  },
  {
    name: 'yandex',
    description: 'Yandex search result pages: a row a result shown, with its position and whether it was clicked',
    load: async () => (await import('../../data/yandex/importYandex.ts')).importYandex,
  },
];

const csvTypes: readonly string[] = ['integer', 'number', 'text', 'boolean', 'timestamp'] satisfies CsvType[];

function columnType(given: string, before: Record<string, string> = {}): Record<string, string> {
  const at = given.lastIndexOf('=');
  if (at < 1) throw new InvalidArgumentError(`expected a column and its type, such as price=number.`);
  const type = given.slice(at + 1);
  if (!csvTypes.includes(type)) {
    throw new InvalidArgumentError(`'${type}' is no type; expected ${csvTypes.join(', ')}.`);
  }
  return { ...before, [given.slice(0, at)]: type };
}

interface CsvFlags {
  out: string;
  schema?: string;
  timeColumn?: string;
  delimiter?: string;
  header: boolean;
  type?: Record<string, string>;
}

async function runImportCsv(files: string[], flags: CsvFlags): Promise<void> {
  const { importCsv } = await import('../../data/csv/importCsv.ts');
  const schema = flags.schema === undefined ? undefined : await readSchema(flags.schema);
  const { typesOfSchema } = await import('../../data/csv/typesOfSchema.ts');
  const result = await importCsv(files, flags.out, {
    timeColumn: flags.timeColumn ?? schema?.time,
    delimiter: flags.delimiter === '\\t' ? '\t' : flags.delimiter,
    header: flags.header,
    types: { ...(schema && typesOfSchema(schema)), ...(flags.type as ReturnType<typeof typesOfSchema>) },
  });
  printImport(flags.out, result);
}

async function readSchema(path: string): Promise<Schema> {
  const { readJson } = await import('../../training/config.ts');
  const { parseSchema } = await import('../schema/parseSchema.ts');
  return parseSchema(readJson(path, 'schema'), path);
}

function printImport(out: string, { rowCount, files, days, warnings }: ImportResult): void {
  for (const warning of warnings) process.stderr.write(`warning: ${warning}\n`);
  const when = days.length > 0 ? `, ${days[0]} to ${days[days.length - 1]}` : '';
  print(`wrote ${rowCount} rows in ${files.length} file${files.length === 1 ? '' : 's'} to ${out}${when}`);
}
