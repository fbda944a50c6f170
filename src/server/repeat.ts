/**
 * Does a task again and again, each time so many seconds after it was last done; it keeps no process alive.
 *
 * @param task must not fail
 * @returns ends it, and waits for the task where that is under way
 */
export function repeat(task: () => Promise<void>, seconds: number): () => Promise<void> {
  let isEnded = false;
  let underWay = Promise.resolve();
  let timer: NodeJS.Timeout;
  const wait = () => {
    timer = setTimeout(() => {
      underWay = task().then(() => {
        if (!isEnded) wait();
      });
    }, seconds * 1000).unref();
  };
  wait();
  return () => {
    isEnded = true;
    clearTimeout(timer);
    return underWay;
  };
}
