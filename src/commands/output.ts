import { InvalidArgumentError } from 'commander';

/** Writes one JSON object to standard output, where with --json nothing else goes. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Rows as text in columns: the first and those named in `alsoLeft` to the left, the others to the right. */
export function textTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alsoLeft: readonly string[] = [],
): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column === 0 || alsoLeft.includes(head[column]) ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd();
  return [line(head), ...rows.map(line)].join('\n');
}

/** A number with so many digits, or a dash where there is none. */
export function fixed(value: number | null | undefined, digits = 4): string {
  return value === null || value === undefined ? '–' : value.toFixed(digits);
}

/** An option's whole number, for commander. */
export function wholeNumber(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        `expected a whole number from ${least}${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''}.`,
      );
    }
    return value;
  };
}

/** Gathers an option given several times. */
export function several(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

/** A length of time as schemas write it: `90s`, `4h`, `1d`. */
export function duration(text: string): string {
  if (!/^[1-9][0-9]{0,5}(ms|s|m|h|d)$/.test(text))
    throw new InvalidArgumentError('expected a length of time such as 90s, 10m, 4h or 1d.');
  return text;
}

const isoTime = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/;

/** A time: milliseconds since 1970, or a date and time as ISO 8601 has it (UTC where no zone is named). */
export function timeMs(text: string): number {
  const [iso, date, time = '00:00', zone = 'Z'] = isoTime.exec(text) ?? [];
  const ms = /^-?\d{9,}$/.test(text)
    ? Number(text)
    : iso === undefined
      ? Number.NaN
      : Date.parse(`${date}T${time}${zone}`);
  if (!Number.isFinite(ms))
    throw new InvalidArgumentError(
      `expected a time such as 2022-05-05, 2022-05-05T00:00:00+08:00 or milliseconds since 1970.`,
    );
  return ms;
}
