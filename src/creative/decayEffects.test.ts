import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { causeOf, fitDecay } from './decayEffects.ts';
import { runOf, type Windows } from './decayWindows.ts';

const golden = JSON.parse(readFileSync(new URL('./golden/decay.json', import.meta.url), 'utf8'));
const [startMs, exposures, clicks, frequency] = ['startMs', 'exposures', 'clicks', 'frequency'].map((name) =>
  Float64Array.from(golden[name]),
);
const DAY_MS = 86_400_000;

describe('fitDecay', () => {
  it('finds the mode that an independent NumPy program finds, and its standard errors', () => {
    const { age, frequency: byFrequency } = fitDecay({ startMs, exposures, clicks, frequency });
    for (const [i, effect] of [age, byFrequency].entries()) {
      expect(effect?.strength).toBeCloseTo(golden.both.strengths[i], 6);
      expect(effect?.standardError).toBeCloseTo(golden.both.errors[i], 6);
    }
    const alone = fitDecay({ startMs, exposures, clicks }, 2.5);
    expect(alone.frequency).toBeUndefined();
    expect(alone.age.strength).toBeCloseTo(golden.ageAlone.strengths[0], 6);
    expect(alone.age.standardError).toBeCloseTo(golden.ageAlone.errors[0], 6);
  });

  it('stays finite where there is little, or nothing, or more clicks than exposures', () => {
    for (const few of [
      [0, 0, 0],
      [1, 0, 0],
      [9, 9, 9],
      [0, 0, 500],
    ]) {
      const { age } = fitDecay({
        startMs: startMs.subarray(0, 3),
        exposures: Float64Array.of(5, 5, 5),
        clicks: Float64Array.from(few),
      });
      expect(Math.abs(age.strength)).toBeLessThan(10);
      expect(age.standardError).toBeGreaterThan(0);
    }
  });
});

describe('causeOf', () => {
  /** Clicks exactly as expected of the frequencies given and the strengths of age and frequency. */
  function causeOfFall(frequency: Float64Array, byAge: number, byFrequency: number) {
    const exposures = new Float64Array(30).fill(20_000);
    const clicks = exposures.map((exposure, day) => {
      const eta = -2.5 - byAge * Math.log1p(day) - byFrequency * Math.log1p(frequency[day]);
      return exposure / (1 + Math.exp(-eta));
    });
    const windows: Windows = { startMs: exposures.map((_, day) => day * DAY_MS), exposures, clicks, frequency };
    return causeOf(windows, fitDecay(windows), runOf(windows, 0, 3), runOf(windows, 27, 3));
  }
  /** Shown to new viewers for half of the time, then to the same again and again. */
  const late = Float64Array.from({ length: 30 }, (_, day) => (day < 15 ? 0.2 : 0.2 + 0.4 * (day - 15)));
  const days = Float64Array.from({ length: 30 }, (_, day) => day);

  it('is what took most of the CTR', () => {
    expect(causeOfFall(late, 0, 0.3)).toBe('frequency');
    expect(causeOfFall(late, 0.3, 0)).toBe('age');
    expect(causeOfFall(late, 0.3, 0.1)).toBe('age');
    expect(causeOfFall(late, 0.1, 0.5)).toBe('frequency');
  });

  it('is unknown where age and frequency grew together, or nothing fell', () => {
    expect(causeOfFall(days, 0, 0.3)).toBe('unknown');
    expect(causeOfFall(late, 0, 0)).toBe('unknown');
  });
});
