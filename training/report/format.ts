/** Numbers as people read them; `–` where there is none. */
const NONE = '–';

type MaybeNumber = number | null | undefined;

const isNumber = (value: MaybeNumber): value is number => typeof value === 'number' && Number.isFinite(value);

export function fixed(value: MaybeNumber, digits: number): string {
  return isNumber(value) ? value.toFixed(digits) : NONE;
}

/** 1,234,567 */
export function count(value: MaybeNumber): string {
  return isNumber(value) ? Math.round(value).toLocaleString('en-GB') : NONE;
}

/** A share as a percentage of three significant digits or so: 0.0123 → 1.23 %. */
export function percent(share: MaybeNumber): string {
  if (!isNumber(share)) return NONE;
  const value = share * 100;
  const digits = value === 0 ? 0 : Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(Math.abs(value)))));
  return `${value.toFixed(digits)}\u00a0%`;
}

/** 42 s, 3 min 20 s, 2 h 05 min */
export function duration(seconds: number): string {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${String(whole % 60).padStart(2, '0')} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`;
}

/** An axis label: 0, 50k, 1.5M; small numbers to the digits they need. */
export function tick(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)}G`;
  if (size >= 1e6) return `${trim(value / 1e6)}M`;
  if (size >= 1e3) return `${trim(value / 1e3)}k`;
  return trim(value);
}

/** A probability on an axis: 0.1 %, 50 %, 99.9 %. */
export function percentTick(value: number): string {
  return `${trim(value * 100)}\u00a0%`;
}

const trim = (value: number) => String(Number(value.toPrecision(6)));
