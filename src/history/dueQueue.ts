import { grown } from './records.ts';

const firstCapacity = 256;

/** Events by when they are due, then by order of arrival: a binary heap. */
export class DueQueue {
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
}
