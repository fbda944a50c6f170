/** What a page about creatives shows. */
export interface CreativeReportData {
  /** Where the rows came from, as the user named it. */
  readonly data: string;
  /** When it was made, as text. */
  readonly date: string;
  readonly tests: number;
  readonly arms: number;
  readonly impressions: number;
  /** Clicks if each test had shown its best arm always. */
  readonly bestClicks: number;
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  readonly warnings: readonly string[];
  /** In the order asked for; the first is what the others are compared with. */
  readonly policies: readonly PolicyReport[];
  readonly decay: DecayReport;
}

/** A value and its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface PolicyReport {
  readonly policy: string;
  readonly clicks: Estimate;
  readonly regret: Estimate;
  readonly bestArmShare: Estimate;
  readonly exploredShare: Estimate;
  readonly regretOverFirst: Estimate | null;
  readonly exitedShare: number;
  readonly exposuresToExit: Estimate | null;
  readonly curves: PolicyCurves;
}

/** At `shares` of the tests' horizons. */
export interface PolicyCurves {
  /** From 0 to 1. */
  readonly shares: readonly number[];
  readonly cumulativeRegret: readonly number[];
  /** Of the impressions since the share before; NaN at 0. */
  readonly bestArmShare: readonly number[];
  /** Share of tests that have left exploration; absent for a policy that never does. */
  readonly exited?: readonly number[];
}

/** Warnings of creatives that wear out, or why there are none to look for. */
export type DecayReport = { readonly why: string } | DecayFindings;

export interface DecayFindings {
  readonly creatives: number;
  /** Those shown on `daysLeast` days or more: of the others no fall can be told. */
  readonly judged: number;
  readonly daysLeast: number;
  /** The days that the rows are of, in order. */
  readonly days: readonly string[];
  /** What was done about positions, in a sentence. */
  readonly note: string;
  readonly warnings: readonly DecayWarningReport[];
}

export interface DecayWarningReport {
  readonly ad: string;
  readonly creative: string;
  /** In words: what fell, from what to what. */
  readonly facts: readonly { readonly name: string; readonly value: string }[];
  readonly days: readonly { readonly day: string; readonly exposures: number; readonly ctr: Estimate }[];
  readonly peak: number;
  /** Below which share of the peak it is warned of. */
  readonly threshold: number;
}
