import { assert } from '../core/errors.ts';

/**
 * Chooses the `wanted` highest scores of at least `least`, best first; equal scores in candidate order. One pass with a heap of
 * the best so far, its worst on top: count·log(wanted) at worst, and near `count` comparisons where few are wanted.
 *
 * A NaN is never chosen.
 *
 * @param scores [count]
 * @param order  out, at least min(wanted, count) long: the chosen candidates' indices
 * @returns how many were chosen
 */
export function chooseTop(
  scores: Float64Array,
  count: number,
  wanted: number,
  least: number,
  order: Int32Array,
): number {
  assert(order.length >= Math.min(wanted, count), 'chooseTop: no room for the chosen');
  if (wanted <= 0) return 0;
  let size = 0;
  for (let i = 0; i < count; i++) {
    const score = scores[i];
    if (!(score >= least)) continue;
    if (size < wanted) {
      order[size] = i;
      siftUp(scores, order, size++);
    } else if (score > scores[order[0]]) {
      // An equal score comes later in candidate order, so it never displaces.
      order[0] = i;
      siftDown(scores, order, size);
    }
  }
  // The worst is on top: moving it behind the rest, again and again, leaves the best first.
  for (let rest = size - 1; rest > 0; rest--) {
    const worst = order[0];
    order[0] = order[rest];
    order[rest] = worst;
    siftDown(scores, order, rest);
  }
  return size;
}

/** Whether candidate `a` loses to `b`. */
function worse(scores: Float64Array, a: number, b: number): boolean {
  return scores[a] < scores[b] || (scores[a] === scores[b] && a > b);
}

function siftUp(scores: Float64Array, heap: Int32Array, at: number): void {
  const moved = heap[at];
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!worse(scores, moved, heap[parent])) break;
    heap[at] = heap[parent];
    at = parent;
  }
  heap[at] = moved;
}

function siftDown(scores: Float64Array, heap: Int32Array, size: number): void {
  const moved = heap[0];
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && worse(scores, heap[child + 1], heap[child])) child++;
    if (!worse(scores, heap[child], moved)) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = moved;
}
