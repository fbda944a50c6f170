import type { Command } from 'commander';
import { isMade } from '../schema/fields.ts';
import { print, textTable } from './output.ts';

interface SchemaFlags {
  data: string[];
  label: string;
  out?: string;
}

export function addSchema(program: Command): void {
  program
    .command('schema')
    .description('look at a table and draft a schema for it, to be edited')
    .requiredOption('--data <glob...>', 'Parquet files, folders or globs')
    .requiredOption('--label <column>', 'the column of 0 and 1 to predict')
    .option('--out <file>', 'where to write the draft; must not exist yet')
    .action(runSchema);
}

async function runSchema(flags: SchemaFlags): Promise<void> {
  const { existsSync, mkdirSync, rmSync, writeFileSync } = await import('node:fs');
  const { dirname } = await import('node:path');
  const { UserError } = await import('../core/errors.ts');
  if (flags.out !== undefined && existsSync(flags.out)) {
    throw new UserError(`output file '${flags.out}' exists; name another, or remove it`, 'conflict');
  }
  const { openTable } = await import('../tables/parquetReader.ts');
  const { outputError } = await import('../tables/outputFolder.ts');
  const { profileTable } = await import('../../training/profile/profileTable.ts');
  const { draftSchema } = await import('../../training/profile/draftSchema.ts');
  const table = await openTable(flags.data);
  if (!table.columns.some((column) => column.name === flags.label)) {
    const names = table.columns.map((column) => column.name).join(', ');
    throw new UserError(`--label: the table has no column '${flags.label}'; it has ${names}`, 'missing');
  }
  const profile = await profileTable(table, flags.label);
  const { schema, columns } = draftSchema(profile, flags.label);
  const number = (value: number | undefined) => (value === undefined ? '' : Number(value.toPrecision(6)).toString());
  const rows = columns.map(({ column, field, note }) => {
    const drafted =
      field === undefined
        ? '–'
        : `${field.kind}, ${isMade(field) ? '' : field.scope}${'size' in field ? `, ${field.size}` : ''}`;
    const range = column.low === undefined ? '' : `${number(column.low)} … ${number(column.high)}`;
    const auc = column.labelAuc === undefined ? '' : column.labelAuc.toFixed(3);
    return [column.name, column.type, String(column.distinct), String(column.nulls), range, auc, drafted, note ?? ''];
  });
  const seen = profile.partial ? `first ${profile.rows} of ${table.rowCount} rows` : `${profile.rows} rows`;
  print(`${seen}; ${flags.label} is 1 in ${(100 * profile.labelRate).toFixed(2)} % of them\n`);
  print(
    textTable(['column', 'type', 'distinct', 'nulls', 'range', 'label AUC', 'drafted', 'note'], rows, [
      'type',
      'drafted',
      'note',
    ]),
  );
  const text = `${JSON.stringify(schema, null, 2)}\n`;
  if (flags.out === undefined) return print(`\n${text}`);
  try {
    mkdirSync(dirname(flags.out), { recursive: true });
    writeFileSync(flags.out, text, { flag: 'wx' });
  } catch (error) {
    // A full disk leaves a file cut short.
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') rmSync(flags.out, { force: true });
    throw outputError(flags.out, error);
  }
  print(`\nwrote ${flags.out}; read it through: scopes and kinds are guesses`);
}
