import type { DecayFindings, DecayReport, DecayWarningReport } from '../../training/creativeReport/reportData.ts';
import { UserError } from '../core/errors.ts';
import { type DecayWarning, decayWarnings } from '../creative/decay.ts';
import type { DecayEffect } from '../creative/decayEffects.ts';
import type { CreativeWindows } from '../creative/decayWindows.ts';
import { estimateExamination } from '../creative/examination.ts';
import { wilsonInterval } from '../evaluation/reliability.ts';
import { dayName } from '../tables/partitionedWriter.ts';
import type { CreativeDays } from './creativeDays.ts';

const DAY_MS = 86_400_000;
/** Below which share of its peak a creative is warned of. */
const share = 0.8;
/** So many days make a peak, and the present. */
const runWindows = 3;

/** Warnings of creatives that wear out, by day, the furthest fallen first; positions are taken out of their click rates. */
export function decayReport(read: CreativeDays | undefined): DecayReport {
  if (!read) return { why: 'The rows have no time, so that whether creatives wear out cannot be seen.' };
  const { examination, note } = examinationOf(read);
  const windows = windowsOf(read, examination);
  const warnings = decayWarnings(windows, { share, runWindows });
  warnings.sort((a, b) => a.ratio.value - b.ratio.value);
  return {
    creatives: read.ads.length,
    ...coverage(windows),
    note,
    warnings: warnings.map((warning) => warningReport(read, warning)),
  };
}

/** The days that there are, and how many creatives have enough of them. */
function coverage({ creatives, startMs }: CreativeWindows): Pick<DecayFindings, 'days' | 'daysLeast' | 'judged'> {
  const daysLeast = 2 * runWindows;
  const counts = new Map<number, number>();
  for (const creative of creatives) counts.set(creative, (counts.get(creative) ?? 0) + 1);
  const judged = [...counts.values()].filter((count) => count >= daysLeast).length;
  const days = [...new Set(startMs)].sort((a, b) => a - b).map(dayOf);
  return { days, daysLeast, judged };
}

/** How much each position is looked at, as far as the rows can tell. */
function examinationOf({ cells }: CreativeDays): { examination?: Float64Array; note: string } {
  if (cells.positions.every((position) => position === 1)) return { note: 'Click rates are as they were counted.' };
  try {
    const { examination } = estimateExamination(cells);
    const each = Array.from(examination.subarray(0, 10), (value) => value.toFixed(2)).join(', ');
    return {
      examination,
      note: `Click rates are those of the best position, each position’s impressions counting as much as it is looked at: ${each}.`,
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { note: `Click rates are as they were counted, positions and all (${error.message}).` };
  }
}

function windowsOf({ cells, days, users }: CreativeDays, examination?: Float64Array): CreativeWindows {
  const windows = new Map<
    number,
    { item: number; day: number; clicks: number; exposures: number; known: number; seen: number }
  >();
  for (let cell = 0; cell < days.length; cell++) {
    const [item, day] = [cells.items[cell], days[cell]];
    const key = item * 2 ** 16 + day;
    let window = windows.get(key);
    if (!window) windows.set(key, (window = { item, day, clicks: 0, exposures: 0, known: 0, seen: 0 }));
    window.clicks += cells.clicks[cell];
    window.exposures += cells.impressions[cell] * (examination?.[cells.positions[cell] - 1] ?? 1);
    window.known += users?.known[cell] ?? 0;
    window.seen += users?.seenBefore[cell] ?? 0;
  }
  const all = [...windows.values()].filter(({ exposures }) => exposures > 0);
  return {
    creatives: Int32Array.from(all, ({ item }) => item),
    startMs: Float64Array.from(all, ({ day }) => day * DAY_MS),
    exposures: Float64Array.from(all, ({ exposures }) => exposures),
    clicks: Float64Array.from(all, ({ clicks }) => clicks),
    ...(users && { frequency: Float64Array.from(all, ({ seen, known }) => seen / known) }),
  };
}

function warningReport({ ads, creatives }: CreativeDays, warning: DecayWarning): DecayWarningReport {
  const { creative, peak, current, ratio, windows, effects } = warning;
  const span = ({ fromMs, toMs }: typeof peak) => `${dayOf(fromMs)} to ${dayOf(toMs).slice(5)}`;
  return {
    ad: ads[creative],
    creative: creatives[creative],
    peak: peak.rate,
    threshold: share,
    facts: [
      { name: 'now', value: `${percent(ratio.value)} of its peak, ${percent(ratio.low)} to ${percent(ratio.high)}` },
      { name: 'confidence', value: percent(Math.min(warning.confidence, 0.9999), 2) },
      { name: 'since', value: dayOf(warning.sinceMs) },
      { name: 'peak', value: `${percent(peak.rate, 2)}, ${span(peak)}` },
      { name: 'present', value: `${percent(current.rate, 2)}, ${span(current)}` },
      { name: 'cause', value: warning.cause },
      { name: 'effect of age', value: effectText(effects.age) },
      ...(effects.frequency ? [{ name: 'of frequency', value: effectText(effects.frequency) }] : []),
    ],
    days: [...windows.startMs].map((startMs, i) => {
      const [exposures, clicks] = [windows.exposures[i], windows.clicks[i]];
      const value = clicks / exposures;
      const [low, high] = wilsonInterval(Math.min(1, value), exposures);
      return { day: dayOf(startMs), exposures, ctr: { value, low, high } };
    }),
  };
}

const dayOf = (ms: number) => dayName(Math.floor(ms / DAY_MS));
const percent = (value: number, digits = 0) => `${(100 * value).toFixed(digits)} %`;
const effectText = ({ strength, standardError }: DecayEffect) =>
  `${(-strength).toFixed(2)} ± ${standardError.toFixed(2)} logits an e-fold`;
