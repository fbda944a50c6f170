/** Where a long command tells how it is doing. */
export interface Reporter {
  /** How much of a phase is done: drawn as a bar on a terminal, as a line now and then elsewhere. */
  progress(phase: string, done: number, total: number, note?: string): void;
  line(text: string): void;
  warn(text: string): void;
}

export const silentReporter: Reporter = { progress() {}, line() {}, warn() {} };

interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Seconds between lines where there is no terminal, and between drawings of the bar where there is. */
const linesEveryMs = 10_000;
const drawEveryMs = 100;

/** Reports to a stream, standard error as a rule. */
export function createReporter(output: Output, nowMs: () => number): Reporter {
  let drawn = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  let phaseNow = '';
  let startMs = 0;
  const clear = () => {
    if (drawn) output.write('\r\x1b[2K');
    drawn = false;
  };
  const line = (text: string) => {
    clear();
    output.write(`${text}\n`);
  };
  return {
    line,
    warn: (text) => line(`warning: ${text}`),
    progress(phase, done, total, note = '') {
      const now = nowMs();
      if (phase !== phaseNow) {
        phaseNow = phase;
        startMs = now;
        lastMs = output.isTTY ? Number.NEGATIVE_INFINITY : now;
      }
      const finished = done >= total;
      if (now - lastMs < (output.isTTY ? drawEveryMs : linesEveryMs) && !(finished && output.isTTY)) return;
      lastMs = now;
      const share = total > 0 ? Math.min(1, done / total) : 1;
      const leftS = share > 0 ? ((now - startMs) / 1000 / share) * (1 - share) : 0;
      const text = `${phase} ${Math.floor(share * 100)}% · ${leftS < 1 ? 'under 1 s' : `${Math.ceil(leftS)} s`} left${note && ` · ${note}`}`;
      if (!output.isTTY) return line(text);
      const filled = Math.round(share * 24);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(24 - filled)} ${text}`;
      output.write(`\r\x1b[2K${bar.slice(0, (output.columns ?? 80) - 1)}`);
      drawn = true;
      if (finished) clear();
    },
  };
}
