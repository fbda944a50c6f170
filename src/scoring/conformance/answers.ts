import { expect } from 'vitest';

/** Scores that outlive the next call. */
export const copyOf = (scores: ReadonlyMap<string, ArrayLike<number>>) =>
  new Map([...scores].map(([task, p]) => [task, Array.from(p)]));

/** Probabilities by task. */
export type Answers = ReadonlyMap<string, ArrayLike<number>>;

/** Expects every task’s every row within `tolerance`. */
export function expectClose(got: Answers, expected: Answers, tolerance: number, about = ''): void {
  expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [task, p] of expected) {
    const answers = got.get(task) as ArrayLike<number>;
    expect(answers.length, task).toBe(p.length);
    for (let row = 0; row < p.length; row++) {
      const difference = Math.abs(answers[row] - p[row]);
      // Written so that NaN fails.
      if (!(difference <= tolerance))
        expect.fail(
          `${about}${about && ': '}${task}, row ${row}: expected ${p[row]} ± ${tolerance}, got ${answers[row]}`,
        );
    }
  }
}
