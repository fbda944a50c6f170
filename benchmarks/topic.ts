import type { Precision } from '../src/scoring/engines.ts';

/** A benchmark: one topic, one table. */
export interface Topic {
  readonly name: string;
  readonly summary: string;
  /** @param options.small a run of seconds, to see that it works: its numbers mean nothing */
  run(options: TopicOptions): Promise<TopicResult>;
}

export interface TopicOptions {
  readonly small: boolean;
  /** How often everything is measured, in turn; medians, or percentiles over all, are reported. */
  readonly rounds: number;
  readonly log: (text: string) => void;
  /** Candidates a request; the topic's own where absent. */
  readonly candidates?: readonly number[];
  /** Engines to measure; every one that loads where absent. */
  readonly engines?: readonly string[];
  /** Of the engines that have several; all where absent. */
  readonly precisions?: readonly Precision[];
}

export interface TopicResult {
  /** What was measured, on what data, in one sentence. */
  readonly setting: string;
  /** Of everything that is drawn. */
  readonly seed?: number;
  /** One contestant or case a row; numbers are medians over the rounds. */
  readonly rows: readonly Record<string, string | number | null>[];
  /** What is missing and why. */
  readonly notes: readonly string[];
  /** SVG by name, written beside the result. */
  readonly pictures?: Readonly<Record<string, string>>;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
