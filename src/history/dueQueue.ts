import { grown } from './records.ts';

const firstCapacity = 256;

/** Of a line or the heap: time, order and event. */
const entryBytes = 8 + 8 + 4;

/**
 * Events by when they are due, then by order of arrival. Those of a stage mostly come in order, as a log does: each stage has a line, and
 * what would have to stand before a line's last goes into a heap.
 */
export class DueQueue {
  count = 0;
  /** The first's time and event, once `seek` found it. */
  ms = 0;
  event = -1;
  private readonly lines: readonly Line[];
  private readonly heap = new Heap();
  /** Index of the line that has the first, -1 for the heap. */
  private first = -1;

  constructor(stageCount: number) {
    this.lines = Array.from({ length: stageCount }, () => new Line());
  }

  push(ms: number, order: number, event: number, stage: number): void {
    this.count++;
    if (!this.lines[stage].push(ms, order, event)) this.heap.push(ms, order, event);
  }

  /** Finds the first of what is due before `nowMs`, if there is any. */
  seek(nowMs: number): boolean {
    const { lines, heap } = this;
    let ms = nowMs;
    let order = Number.NEGATIVE_INFINITY;
    this.event = -1;
    if (heap.count > 0 && heap.ms[0] < ms) {
      ms = heap.ms[0];
      order = heap.orders[0];
      this.event = heap.events[0];
      this.first = -1;
    }
    for (let i = 0; i < lines.length; i++) {
      const { head, count, ms: times, orders, events } = lines[i];
      if (count === 0 || times[head] > ms || (times[head] === ms && orders[head] >= order)) continue;
      ms = times[head];
      order = orders[head];
      this.event = events[head];
      this.first = i;
    }
    this.ms = ms;
    return this.event >= 0;
  }

  bytes(): number {
    return [this.heap, ...this.lines].reduce((sum, { ms }) => sum + ms.length * entryBytes, 0);
  }

  /** Takes away the first. */
  pop(): void {
    this.count--;
    if (this.first < 0) this.heap.pop();
    else this.lines[this.first].pop();
  }
}

/** Events in the order they came, in a ring. */
class Line {
  count = 0;
  head = 0;
  ms = new Float64Array(firstCapacity);
  orders = new Float64Array(firstCapacity);
  events = new Int32Array(firstCapacity);

  /** @returns false, and does not take it, if it is before the last */
  push(ms: number, order: number, event: number): boolean {
    if (this.count === this.ms.length) this.grow();
    const mask = this.ms.length - 1;
    if (this.count > 0) {
      const last = (this.head + this.count - 1) & mask;
      if (ms < this.ms[last] || (ms === this.ms[last] && order < this.orders[last])) return false;
    }
    const at = (this.head + this.count++) & mask;
    this.ms[at] = ms;
    this.orders[at] = order;
    this.events[at] = event;
    return true;
  }

  pop(): void {
    this.head = (this.head + 1) & (this.ms.length - 1);
    this.count--;
  }

  private grow(): void {
    this.ms = turned(this.ms, this.head);
    this.orders = turned(this.orders, this.head);
    this.events = turned(this.events, this.head);
    this.head = 0;
  }
}

/** A full ring from its head on, with room for as many again. */
function turned<T extends Float64Array | Int32Array>(ring: T, head: number): T {
  const more = grown(ring, ring.length * 2);
  more.copyWithin(0, head, ring.length);
  for (let i = 0; i < head; i++) more[ring.length - head + i] = ring[i];
  return more;
}

class Heap {
  count = 0;
  ms = new Float64Array(firstCapacity);
  orders = new Float64Array(firstCapacity);
  events = new Int32Array(firstCapacity);

  push(ms: number, order: number, event: number): void {
    if (this.count === this.ms.length) this.grow();
    let at = this.count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.ms[parent] < ms || (this.ms[parent] === ms && this.orders[parent] <= order)) break;
      this.move(parent, at);
      at = parent;
    }
    this.put(at, ms, order, event);
  }

  /** Takes away the first, which is at index 0. */
  pop(): void {
    const last = --this.count;
    const ms = this.ms[last];
    const order = this.orders[last];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.isBefore(child + 1, child)) child++;
      if (ms < this.ms[child] || (ms === this.ms[child] && order < this.orders[child])) break;
      this.move(child, at);
      at = child;
    }
    this.put(at, ms, order, this.events[last]);
  }

  private isBefore(a: number, b: number): boolean {
    return this.ms[a] < this.ms[b] || (this.ms[a] === this.ms[b] && this.orders[a] < this.orders[b]);
  }

  private put(at: number, ms: number, order: number, event: number): void {
    this.ms[at] = ms;
    this.orders[at] = order;
    this.events[at] = event;
  }

  private move(from: number, to: number): void {
    this.put(to, this.ms[from], this.orders[from], this.events[from]);
  }

  private grow(): void {
    this.ms = grown(this.ms, this.ms.length * 2);
    this.orders = grown(this.orders, this.orders.length * 2);
    this.events = grown(this.events, this.events.length * 2);
  }
}

/** What was seen since the last tick, in order; emptied as a whole. */
export class TickQueue {
  count = 0;
  ms = new Float64Array(firstCapacity);
  events = new Int32Array(firstCapacity);
  stages = new Int32Array(firstCapacity);

  push(ms: number, event: number, stage: number): void {
    if (this.count === this.ms.length) {
      this.ms = grown(this.ms, this.ms.length * 2);
      this.events = grown(this.events, this.events.length * 2);
      this.stages = grown(this.stages, this.stages.length * 2);
    }
    this.ms[this.count] = ms;
    this.events[this.count] = event;
    this.stages[this.count++] = stage;
  }

  bytes(): number {
    return this.ms.byteLength + this.events.byteLength + this.stages.byteLength;
  }
}
