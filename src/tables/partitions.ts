import type { TextColumn } from '../schema/columns.ts';

/**
 * What the folders on the way to a file say of its rows: `logs/date=2022-04-25/part-0.parquet` has date 2022-04-25.
 * Values are text; `%XX` is decoded, as writers encode `/` and the like.
 */
export function partitionValues(file: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const part of file.split('/').slice(0, -1)) {
    const equals = part.indexOf('=');
    if (equals > 0) values.set(part.slice(0, equals), decoded(part.slice(equals + 1)));
  }
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A text column of one value. */
export function constantText(value: string, rowCount: number): TextColumn {
  const bytes = new TextEncoder().encode(value);
  const offsets = Int32Array.of(0, bytes.length);
  return { type: 'text', rowCount, offsets, bytes, indices: new Int32Array(rowCount) };
}
