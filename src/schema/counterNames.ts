import type { CounterField, CounterValue, Window } from './schema.ts';

/** What a counter's numbers are called, in their order: `user_stats.lifetime.rate(click)`, `user_stats.halfLife(1d).count`. */
export function counterNames({ name, over = ['lifetime'], values }: CounterField): string[] {
  return over.flatMap((window) => values.map((value) => `${name}.${windowName(window)}.${valueName(value)}`));
}

function windowName(window: Window): string {
  if (typeof window === 'string') return window;
  return 'window' in window ? `window(${window.window})` : `halfLife(${window.halfLife})`;
}

/** `count`, or what is computed of which label, number or field: `rate(click)`. */
function valueName(value: CounterValue): string {
  if (typeof value === 'string') return value;
  const [[kind, of]] = Object.entries(value).filter(([key]) => key !== 'strength' && key !== 'prior');
  return `${kind}(${of})`;
}
