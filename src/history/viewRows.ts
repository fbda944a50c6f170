import type { HistoryPlan } from './historyPlan.ts';

/** What some rows see of records, and all that their values are computed from. */
export class ViewRows {
  readonly rowCount: number;
  /** What was read of each family's record, side by side: [rows, width]. */
  readonly views: Float64Array;
  readonly width: number;
  /** [rows, priors] */
  readonly priors: Float64Array;
  /** By family and by prior: how far a row's is from the last row's; 0 where all rows have that of row 0. */
  readonly viewSteps: Int32Array;
  readonly priorSteps: Int32Array;
  /** By family: when it is read. */
  readonly times: Float64Array;
  /** The rows' keys [key fields, 2], and whether they have them. */
  readonly words: Int32Array;
  readonly valid: Uint8Array;

  constructor({ families, ops, keyFields }: HistoryPlan, rowCount: number) {
    this.rowCount = rowCount;
    this.width = families.reduce((sum, { viewSize }) => sum + viewSize, 0);
    this.views = new Float64Array(rowCount * this.width);
    this.priors = new Float64Array(rowCount * ops.priorN.length);
    this.viewSteps = new Int32Array(families.length);
    this.priorSteps = new Int32Array(ops.priorN.length);
    this.times = new Float64Array(families.length);
    this.words = new Int32Array(2 * keyFields.length);
    this.valid = new Uint8Array(keyFields.length);
  }
}
