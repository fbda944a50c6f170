import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { repeat } from './repeat.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('does a task so many seconds after it was last done, until it is ended', async () => {
  const task = vi.fn(() => new Promise<void>((resolve) => setTimeout(resolve, 4000)));
  const end = repeat(task, 10);
  const callsAfter = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return task.mock.calls.length;
  };
  expect(await callsAfter(9999)).toBe(0);
  expect(await callsAfter(1)).toBe(1);
  expect(await callsAfter(13_999)).toBe(1);
  expect(await callsAfter(1)).toBe(2);
  expect(await callsAfter(4000 + 5000)).toBe(2);
  await end();
  expect(await callsAfter(100_000)).toBe(2);
});

it('waits for a task that is under way when it is ended, and begins no other', async () => {
  let isDone = false;
  const task = vi.fn(async () => {
    await new Promise((resolve) => setTimeout(resolve, 4000));
    isDone = true;
  });
  const end = repeat(task, 1);
  await vi.advanceTimersByTimeAsync(2000);
  const ended = end().then(() => isDone);
  await vi.advanceTimersByTimeAsync(100_000);
  expect(await ended).toBe(true);
  expect(task).toHaveBeenCalledTimes(1);
});
