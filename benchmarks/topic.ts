/** A benchmark: one topic, one table. */
export interface Topic {
  readonly name: string;
  readonly summary: string;
  /** @param options.small a run of seconds, to see that it works: its numbers mean nothing */
  run(options: TopicOptions): Promise<TopicResult>;
}

export interface TopicOptions {
  readonly small: boolean;
  /** How often everything is measured, in turn; medians are reported. */
  readonly rounds: number;
  readonly log: (text: string) => void;
}

export interface TopicResult {
  /** What was measured, on what data, in one sentence. */
  readonly setting: string;
  /** One contestant or case a row; numbers are medians over the rounds. */
  readonly rows: readonly Record<string, string | number | null>[];
  /** What is missing and why. */
  readonly notes: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
