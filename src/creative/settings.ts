import { UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { type PolicyName, policyNames } from './policyNames.ts';

/** How a bandit learns and chooses. Every number has a default, the first of its row below. */
export interface BanditSettings extends Readonly<Record<NumberName, number>> {
  readonly policy: PolicyName;
  /** How much each position is looked at, the first the best: exposures of an impression. Those beyond the list count as its last. */
  readonly examination: readonly number[];
  /** Whether ads ever leave exploration; where absent they do under `default` alone, so that others are what their books say. */
  readonly exit: boolean;
  /**
   * The field of requests whose values are the segments of `linucb`, and those values as text; every other value, and none, is one more
   * segment, the last. Both are absent where contexts come otherwise.
   */
  readonly segment?: string;
  readonly segments?: readonly string[];
}

type NumberName = keyof typeof numbers;

interface NumberRule {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** `low` itself is not allowed. */
  readonly above?: true;
  readonly whole?: true;
}

const most = Number.MAX_SAFE_INTEGER;
const contextMost = 64;
/** What λ may be bounded by. */
export const lambdaMost = 1e6;
/** The record's unit: less would count as nothing. */
const leastExamination = 2 ** -20;

const numbers = {
  /** ε: the share of choices that is drawn from all arms, under every policy. 0 would leave choices that no evaluation can learn from. */
  epsilon: { value: 0.01, low: 0, high: 1, above: true },
  /** c of the default policy's bonus. */
  confidence: { value: 0.9, low: 0, high: 100 },
  /** ε of `epsilon-greedy`, in place of the common one. */
  greedyEpsilon: { value: 0.1, low: 0, high: 1, above: true },
  /** ξ of `sw-ucb`. */
  slidingXi: { value: 0.6, low: 0, high: 100 },
  /** α of `linucb`, in standard deviations. */
  linearConfidence: { value: 1, low: 0, high: 100 },
  /** Length of a context, for `linucb`: the shares of a user's segments; follows from `segments` where those are given. */
  contextSize: { value: 0, low: 0, high: contextMost, whole: true },
  /** What is supposed of the CTR in the best position before anything is known: as many clicks in as many exposures. */
  priorClicks: { value: 1.5, low: 0.5, high: most },
  priorExposures: { value: 100, low: 0, high: most, above: true },
  /** κ: how alike an ad's creatives are, as the clicks that the ad's own rate counts for in each; 1/κ is their CTRs' relative variance. */
  likenessClicks: { value: 12, low: 0, high: most, above: true },
  /** w1 and w2 of the reward. */
  clickWeight: { value: 1, low: 0, high: 1e6 },
  revenueWeight: { value: 0, low: 0, high: 1e6 },
  /** Mean view time that λ rises below; 0 for a reward without it. */
  viewMsTarget: { value: 0, low: 0, high: most },
  /** How far λ moves in a window whose view time is 0, and its bound. */
  qoeStep: { value: 0.05, low: 0, high: 1e6 },
  qoeMost: { value: 0.5, low: 0, high: lambdaMost },
  /** Length of a window, and how many are kept. */
  windowMs: { value: 1_800_000, low: 1000, high: 366 * 86_400_000, whole: true },
  windows: { value: 24, low: 2, high: 1000, whole: true },
  /** How long what was counted of a creative is kept after it has gone from the arms. */
  goneDays: { value: 30, low: 0, high: 36_500 },
  /** Exposures that each creative is owed in a window; half of ε goes to those that lack them. */
  windowFloor: { value: 20, low: 0, high: most },
  /** A creative's record counts σ((views − longTailViews)/longTailScale) beside the model. */
  longTailViews: { value: 150, low: 0, high: most },
  longTailScale: { value: 50, low: 0, high: most, above: true },
  /** An ad leaves exploration when this share of its clicks at most is expected to be lost by it… */
  exitLoss: { value: 0.11, low: 0, high: 1 },
  /** …and its creatives' CTRs were within this share of what they are now at the ends of as many windows. */
  exitBand: { value: 0.2, low: 0, high: 1e6 },
  exitWindows: { value: 2, low: 0, high: 100, whole: true },
  /** A change worth finding after the exit, as the ratio of two CTRs, and the evidence it takes: ln of the odds of chance. */
  changeRatio: { value: 1.5, low: 1, high: 100, above: true },
  changeThreshold: { value: 8, low: 0, high: 1000, above: true },
} satisfies Record<string, NumberRule>;

/**
 * Reads a bandit's settings; keys that are absent have their defaults, and every mistake is reported together.
 *
 * @param source how messages name them, e.g. the file's path
 * @throws UserError
 */
export function readBanditSettings(json: unknown = {}, source = 'bandit settings'): BanditSettings {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new UserError(`${source}: expected an object of settings, got ${kindOf(json)}`);
  const given = new Map(Object.entries(json));
  const problems: string[] = [];
  const known = [...Object.keys(numbers), 'policy', 'examination', 'exit', 'segment', 'segments'];
  for (const key of given.keys()) {
    if (known.includes(key)) continue;
    const meant = nearestName(key, known);
    problems.push(
      `there is no setting '${key}'; ${meant ? `did you mean '${meant}'?` : `there are ${known.join(', ')}`}`,
    );
  }
  const read: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries<NumberRule>(numbers)) {
    const value = given.get(name) ?? rule.value;
    read[name] = value;
    if (!fits(value, rule)) problems.push(`${name} is ${shown(value)}; expected ${expectation(rule)}`);
  }
  const policy = given.get('policy') ?? 'default';
  if (!policyNames.includes(policy as PolicyName))
    problems.push(`policy is ${shown(policy)}; expected one of ${policyNames.join(', ')}`);
  const exit = given.get('exit') ?? policy === 'default';
  if (typeof exit !== 'boolean') problems.push(`exit is ${shown(exit)}; expected true or false`);
  const examination = given.get('examination') ?? [1];
  const share = { value: 1, low: leastExamination, high: 1 };
  if (!Array.isArray(examination) || examination.length === 0 || !examination.every((value) => fits(value, share)))
    problems.push(
      `examination is ${shown(examination)}; expected a list of numbers from 2^-20 up to 1, one a position`,
    );
  const contexts = { policy, segment: given.get('segment'), segments: given.get('segments') };
  problems.push(...problemsOfContexts({ ...contexts, contextSize: read.contextSize }));
  if (read.clickWeight === 0 && read.revenueWeight === 0)
    problems.push('clickWeight and revenueWeight are both 0; expected one above 0, as a reward without either is none');
  if ((read.exitWindows as number) >= (read.windows as number))
    problems.push(
      `exitWindows is ${shown(read.exitWindows)}; expected fewer than the ${shown(read.windows)} windows kept`,
    );
  if (problems.length > 0) throw new UserError(`${source}: ${problems.join(`\n${source}: `)}`);
  const { segment, segments } = contexts;
  if (segments === undefined) return { ...read, policy, exit, examination } as BanditSettings;
  const contextSize = (segments as string[]).length + 1;
  return { ...read, policy, exit, examination, segment, segments, contextSize } as BanditSettings;
}

function problemsOfContexts({ policy, segment, segments, contextSize }: Record<string, unknown>): string[] {
  const isNone = segment === undefined && segments === undefined;
  if (policy !== 'linucb')
    return isNone && contextSize === 0 ? [] : ["segment, segments and contextSize are for policy 'linucb' alone"];
  if (isNone)
    return contextSize === 0
      ? [
          `policy 'linucb' needs segments; name a .json file with "policy": "linucb", "segment" (a field of requests) and "segments" (its values)`,
        ]
      : [];
  const problems: string[] = [];
  if (typeof segment !== 'string' || segment === '')
    problems.push(`segment is ${shown(segment)}; expected the field of requests whose values segments lists`);
  const areSegments =
    Array.isArray(segments) &&
    segments.length > 0 &&
    segments.length < contextMost &&
    segments.every((value) => typeof value === 'string') &&
    new Set(segments).size === segments.length;
  if (!areSegments)
    problems.push(
      `segments is ${shown(segments)}; expected 1 to ${contextMost - 1} values of the field of requests that segment names, as text, each once`,
    );
  else if (contextSize !== 0 && contextSize !== segments.length + 1)
    problems.push(`contextSize is ${shown(contextSize)}; leave it out, as it follows from segments`);
  return problems;
}

function fits(value: unknown, { low, high, above, whole }: NumberRule): boolean {
  if (typeof value !== 'number' || !(value >= low && value <= high)) return false;
  return !(above && value === low) && !(whole && !Number.isInteger(value));
}

function expectation({ low, high, above, whole }: NumberRule): string {
  const from = above ? `above ${low}` : `from ${low}`;
  return `a ${whole ? 'whole ' : ''}number ${from}${high === most ? '' : ` up to ${high}`}`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return `${value}`;
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : typeof value === 'number' ? `${value}` : kindOf(value);
}
