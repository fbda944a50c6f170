import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importYandex } from '../../data/yandex/importYandex.ts';
import { estimateExamination } from '../../src/creative/examination.ts';
import { type PositionCounts, slotCtrs } from '../../src/creative/positions.ts';
import { kendallTau } from '../../src/evaluation/kendallTau.ts';
import { logLoss } from '../../src/evaluation/metrics.ts';
import type { TextColumn } from '../../src/schema/columns.ts';
import { columnValue, textAt } from '../../src/tables/columnBuilder.ts';
import { openTable } from '../../src/tables/parquetReader.ts';

/** Results shown, one a row, in the order of their pages. An item is a result of a query. */
export interface Shown {
  readonly items: Int32Array;
  readonly positions: Int32Array;
  readonly clicks: Int32Array;
  /** 1 for the last fifth of each query's pages: the file lists pages by query. */
  readonly heldOut: Uint8Array;
}

/** Imports the pages and numbers their results. */
export async function readPages(folder: string): Promise<Shown> {
  const out = mkdtempSync(join(tmpdir(), 'limelight-yandex-'));
  try {
    await importYandex(folder, join(out, 'pages'));
    const items: number[] = [];
    const positions: number[] = [];
    const clicks: number[] = [];
    const rowsOf = new Map<string, number[]>();
    const numbers = new Map<string, number>();
    for await (const { columns, rowCount } of (await openTable(join(out, 'pages'))).scan()) {
      const value = (name: string, row: number) => columnValue(columns.get(name)!, row);
      for (let row = 0; row < rowCount; row++) {
        const query = textAt(columns.get('query_region') as TextColumn, row);
        const key = `${query} ${value('result', row)}`;
        if (!numbers.has(key)) numbers.set(key, numbers.size);
        if (!rowsOf.has(query)) rowsOf.set(query, []);
        rowsOf.get(query)?.push(items.length);
        items.push(numbers.get(key) ?? 0);
        positions.push(Number(value('position', row)));
        clicks.push(Number(value('click', row)));
      }
    }
    const heldOut = new Uint8Array(items.length);
    // Ten rows a page.
    for (const rows of rowsOf.values()) {
      for (const row of rows.slice(10 * Math.floor((0.8 * rows.length) / 10))) heldOut[row] = 1;
    }
    const [i, p, c] = [items, positions, clicks].map((column) => Int32Array.from(column));
    return { items: i, positions: p, clicks: c, heldOut };
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** Counts by result and position, of all pages or of those that are not held out. */
export function countShown({ items, positions, clicks, heldOut }: Shown, all = false): PositionCounts {
  const cells = new Map<number, [item: number, position: number, impressions: number, clicks: number]>();
  for (let row = 0; row < items.length; row++) {
    if (heldOut[row] && !all) continue;
    const key = items[row] * 1000 + positions[row];
    const cell = cells.get(key) ?? [items[row], positions[row], 0, 0];
    cell[2]++;
    cell[3] += clicks[row];
    cells.set(key, cell);
  }
  const rows = [...cells.values()];
  return {
    items: Int32Array.from(rows, (cell) => cell[0]),
    positions: Int32Array.from(rows, (cell) => cell[1]),
    impressions: Float64Array.from(rows, (cell) => cell[2]),
    clicks: Float64Array.from(rows, (cell) => cell[3]),
  };
}

/** Log loss on the held-out pages of what the others teach. */
export function heldOutLosses(shown: Shown): Record<'table' | 'result' | 'fit', number> {
  const counts = countShown(shown);
  const rows = shown.items.map((_, row) => row).filter((row) => shown.heldOut[row] === 1);
  const labels = rows.map((row) => shown.clicks[row]);
  const loss = (p: (item: number, position: number) => number) =>
    logLoss(
      Float64Array.from(rows, (row) => Math.min(p(shown.items[row], shown.positions[row]), 1)),
      labels,
    ) ?? 0;
  const ctrs = slotCtrs(counts);
  const { examination, attraction, prior } = estimateExamination(counts);
  const everywhere = { ...counts, positions: new Int32Array(counts.items.length).fill(1) };
  const one = estimateExamination(everywhere);
  return {
    table: loss((_, position) => ctrs[position - 1]),
    result: loss((item) => one.attraction[item] ?? one.prior.mean),
    fit: loss((item, position) => examination[position - 1] * (attraction[item] ?? prior.mean)),
  };
}

/** Each result twice: its rate in its higher positions and in its lower ones, about half of its impressions each. */
export interface Halves {
  readonly upper: Float64Array;
  readonly lower: Float64Array;
}

/** @param least impressions of either half; results with fewer are left out */
export function ratesByHalf(counts: PositionCounts, examination: Float64Array, least: number): Halves {
  const cellsOf = new Map<number, number[]>();
  counts.items.forEach((item, cell) => {
    cellsOf.set(item, [...(cellsOf.get(item) ?? []), cell]);
  });
  const upper: number[] = [];
  const lower: number[] = [];
  for (const cells of cellsOf.values()) {
    cells.sort((a, b) => counts.positions[a] - counts.positions[b]);
    const impressions = (some: number[]) => some.reduce((sum, cell) => sum + counts.impressions[cell], 0);
    const rate = (some: number[]) =>
      some.reduce((sum, cell) => sum + counts.clicks[cell], 0) /
      some.reduce((sum, cell) => sum + counts.impressions[cell] * examination[counts.positions[cell] - 1], 0);
    const unevenness = cells.map((_, at) => Math.abs(impressions(cells.slice(0, at)) - impressions(cells.slice(at))));
    const middle = unevenness.indexOf(Math.min(...unevenness));
    const [above, below] = [cells.slice(0, middle), cells.slice(middle)];
    if (impressions(above) < least || impressions(below) < least) continue;
    upper.push(rate(above));
    lower.push(rate(below));
  }
  return { upper: Float64Array.from(upper), lower: Float64Array.from(lower) };
}

/**
 * How alike results rank in different positions: (agreeing − disagreeing) / both, over pairs of results of which one was in its higher
 * positions and the other in its lower, against the same pair the other way round. What a position does of itself disagrees here. In
 * `straight`, plain τ between all higher and all lower halves, it does not, since all of one side have it alike.
 */
export function tauOfHalves({ upper, lower }: Halves): { straight: number; crossed: number } {
  let [agreeing, disagreeing] = [0, 0];
  for (let i = 0; i < upper.length; i++) {
    for (let j = 0; j < i; j++) {
      const sign = Math.sign(upper[i] - lower[j]) * Math.sign(lower[i] - upper[j]);
      if (sign > 0) agreeing++;
      if (sign < 0) disagreeing++;
    }
  }
  return { straight: kendallTau(upper, lower) ?? 0, crossed: (agreeing - disagreeing) / (agreeing + disagreeing) };
}
