import { describe, expect, it } from 'vitest';
import { createReporter } from './reporter.ts';

function reporterOn(output: { isTTY?: boolean; columns?: number }) {
  const clock = { nowMs: 0, text: '' };
  const write = (text: string) => {
    clock.text += text;
  };
  return { clock, reporter: createReporter({ ...output, write }, () => clock.nowMs) };
}

describe('a reporter', () => {
  it('writes lines and warnings as they are, and progress as a line every ten seconds where there is no terminal', () => {
    const { clock, reporter } = reporterOn({});
    reporter.line('reading');
    for (let step = 0; step <= 100; step++) {
      clock.nowMs = step * 250;
      reporter.progress('training', step, 100, 'log loss 0.5');
    }
    reporter.warn('odd rows');
    expect(clock.text).toBe(
      'reading\ntraining 40% · 15 s left · log loss 0.5\ntraining 80% · 5 s left · log loss 0.5\nwarning: odd rows\n',
    );
  });

  it('draws a bar on a terminal, no wider than it, and clears it before anything else', () => {
    const { clock, reporter } = reporterOn({ isTTY: true, columns: 40 });
    reporter.progress('training', 1, 4);
    expect(clock.text.replace('\r\x1b[2K', '')).toBe('██████░░░░░░░░░░░░░░░░░░ training 25% · '.slice(0, 39));
    clock.text = '';
    reporter.progress('training', 2, 4);
    expect(clock.text).toBe('');
    clock.nowMs = 200;
    reporter.progress('training', 4, 4);
    reporter.line('done');
    expect(clock.text).toContain('training 1');
    expect(clock.text.endsWith('\r\x1b[2Kdone\n')).toBe(true);
  });

  it('starts a phase’s clock anew', () => {
    const { clock, reporter } = reporterOn({});
    reporter.progress('reading', 1, 2);
    clock.nowMs = 60_000;
    reporter.progress('training', 0, 100);
    clock.nowMs = 70_000;
    reporter.progress('training', 50, 100);
    expect(clock.text).toBe('training 50% · 10 s left\n');
  });
});
