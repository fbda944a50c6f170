import type { Creatives } from '../catalog/creatives.ts';
import { assert, UserError } from '../core/errors.ts';
import type { Random } from '../core/random.ts';
import type { Bandit, CreativeChoices } from '../creative/creative.ts';
import type { BanditSettings } from '../creative/settings.ts';
import { roomFor } from '../schema/gatherRows.ts';
import type { Schema } from '../schema/schema.ts';
import type { Scores } from '../scoring/scorer.ts';
import type { RankBody } from './body.ts';
import type { Candidates } from './candidates.ts';
import type { FieldPlan } from './fieldPlan.ts';
import type { CandidateProbabilities } from './probabilities.ts';
import { Segments } from './segments.ts';
import { VariantFinder, type Variants } from './variants.ts';

/** A bandit that says which ads have left exploration, as of the last `settle`. */
export interface ServedBandit extends Bandit {
  readonly settings: BanditSettings;
  hasExited(ad: number): boolean;
}

/** Which creative each candidate of a request would be shown with. */
export interface ChosenCreatives extends CreativeChoices {
  readonly of: Variants;
  /** [variants]: the engine's p of each, of the task that creatives are compared by; absent where the model does not tell them apart. */
  readonly p?: Float32Array;
  /** [variants]: how likely each was to be chosen; where a bandit chose. */
  readonly shares?: Float64Array;
  /** Of an ad's row; absent where the model alone chooses. */
  readonly isExploring?: (ad: number) => boolean;
}

/** Chooses creatives, in buffers that are reused: a bandit among those of an ad, the model alone where there is no bandit. */
export class CreativeChoice {
  readonly creatives: Creatives;
  readonly bandit: ServedBandit | undefined;
  /** Whether the model tells creatives apart, so that they are scored one by one. */
  readonly ofModel: boolean;
  private readonly finder: VariantFinder;
  private readonly segments: Segments | undefined;
  private variants = new Int32Array(0);
  private propensities = new Float64Array(0);
  private shares = new Float64Array(0);
  private readonly isExploring: ChosenCreatives['isExploring'];

  /** @throws UserError for a bandit that could not be told a click, or a user's segment */
  constructor(creatives: Creatives, plan: FieldPlan, schema: Schema, bandit?: ServedBandit) {
    assert(
      bandit === undefined || bandit.arms.creativeKeys.length === creatives.count,
      'a bandit has an arm a creative: see creativeArms',
    );
    if (bandit !== undefined && !schema.labels.some(({ name }) => name === 'click'))
      throw new UserError(
        `bandit settings: policy '${bandit.settings.policy}' learns from clicks, and the model's schema has no label 'click', so that none could be told; serve a model that has, or leave the policy out`,
      );
    this.creatives = creatives;
    this.bandit = bandit;
    this.isExploring = bandit && ((ad) => !bandit.hasExited(ad));
    this.ofModel = plan.candidate.some(({ ofVariant }) => ofVariant);
    this.segments = bandit && Segments.of(bandit.settings, plan, schema);
    this.finder = new VariantFinder(creatives, plan.candidate);
  }

  /** @throws UserError for a candidate that names a creative it cannot have */
  find(candidates: Candidates): Variants {
    return this.finder.find(candidates);
  }

  /** @param scores of the creatives, where the model tells them apart */
  choose(
    of: Variants,
    scores: Scores | undefined,
    probabilities: CandidateProbabilities,
    { user, context }: RankBody,
    random?: Random,
  ): ChosenCreatives {
    const count = of.ads.length;
    if (this.variants.length < count) {
      this.variants = new Int32Array(roomFor(count));
      this.propensities = new Float64Array(roomFor(count));
    }
    if (this.bandit !== undefined && this.shares.length < of.count) this.shares = new Float64Array(roomFor(of.count));
    const { variants, propensities, bandit } = this;
    const p = scores?.get(probabilities.comparedBy);
    const choices = { of, p, variants, propensities, isExploring: this.isExploring };
    if (bandit === undefined) {
      // Calibration is increasing: the likeliest is so before it, too.
      likeliest(of, p, variants);
      propensities.fill(1, 0, count);
      return choices;
    }
    assert(random !== undefined, 'a bandit draws: rank needs a source of chance');
    const ofClicks = scores && probabilities.clicksOf(scores, of.count);
    const segment = this.segments?.contextOf(user, context);
    const question = { count, ads: of.ads, variantOffsets: of.offsets, p: ofClicks, context: segment, random };
    const drawn = { ...choices, shares: this.shares };
    bandit.choose(question, drawn);
    return drawn;
  }
}

/** The creative of the highest p of each candidate, the first of equals. */
function likeliest({ ads, offsets }: Variants, p: Float32Array | undefined, out: Int32Array): void {
  for (let i = 0; i < ads.length; i++) {
    let best = offsets[i];
    if (p !== undefined) for (let v = best + 1; v < offsets[i + 1]; v++) if (p[v] > p[best]) best = v;
    out[i] = best;
  }
}
