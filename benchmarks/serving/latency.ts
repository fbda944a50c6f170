import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** How long something took, time and again. */
export class Latency {
  /** Nanoseconds, to three figures. */
  private readonly histogram: RecordableHistogram = createHistogram({ figures: 3 });

  /** Runs something and records its time. @returns seconds */
  time(run: () => unknown): number {
    const start = performance.now();
    run();
    const ms = performance.now() - start;
    this.histogram.record(Math.max(1, Math.round(ms * 1e6)));
    return ms / 1000;
  }

  /** The same of what has a result. */
  timed<T>(run: () => T): T {
    let result: T | undefined;
    this.time(() => {
      result = run();
    });
    return result as T;
  }

  reset(): void {
    this.histogram.reset();
  }

  get count(): number {
    return this.histogram.count;
  }

  /** Microseconds; null where fewer than two measurements lie beyond it. */
  us(percentile: number): number | null {
    if (this.count * (1 - percentile / 100) < 2) return null;
    return Number((this.histogram.percentile(percentile) / 1000).toPrecision(4));
  }

  meanUs(): number {
    return this.histogram.mean / 1000;
  }
}
