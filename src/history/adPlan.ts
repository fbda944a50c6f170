import { RATE, SAME } from './counterPlan.ts';
import type { HistoryPlan } from './historyPlan.ts';

/** Families, the priors computed from them and the ops computed from both, in order. */
export interface Part {
  readonly families: Int32Array;
  readonly priors: Int32Array;
  readonly ops: Int32Array;
}

/** Ops that no user changes, of the same keys: they change once a tick, and are kept by the values of those keys. */
export interface KeptPart extends Part {
  /** Of the catalog's keys and of the request's, those that decide the values. */
  readonly adKeys: readonly number[];
  readonly requestKeys: readonly number[];
  /** Families of which more than where the record is matters. */
  readonly viewed: Int32Array;
  /** Rates whose prior other keys of the request decide: n and Σy are kept, and the prior comes with the request. */
  readonly openOps: Int32Array;
}

/** What a request computes of a catalog, each value at its scope. */
export interface AdPlan {
  /** What the catalog has no part in, the priors of other parts included. */
  readonly ofRequest: Part;
  readonly kept: readonly KeptPart[];
  /** By family: values of the user and one of the catalog's keys. */
  readonly pairs: readonly { readonly family: number; readonly ops: readonly number[] }[];
  /** What is left: of the user and of several of the catalog's keys. */
  readonly ofAd: Part;
  readonly counterIsOfAd: readonly boolean[];
  /** Undefined of one that is not read. */
  readonly sequenceIsOfAd: readonly (boolean | undefined)[];
}

/** Counters and sequences of a plan, by their places in it. */
export interface ReadFields {
  readonly counters: ReadonlySet<number>;
  readonly sequences: ReadonlySet<number>;
}

/** One op with the families and keys that decide it. */
interface Op {
  readonly op: number;
  readonly family: number;
  readonly priors: readonly number[];
  readonly keys: readonly number[];
  readonly isUser: boolean;
  readonly isPair: boolean;
  readonly isOpen: boolean;
}

const ints = (values: readonly number[]) => Int32Array.from(new Set(values)).sort();

/**
 * @param isOfAd whether the catalog has a key field
 * @param fields those that are read; all where absent
 */
export function planAds(plan: HistoryPlan, isOfAd: (key: number) => boolean, fields?: ReadFields): AdPlan {
  const { ops, families } = plan;
  const keysOf = (family: number) => [...families[family].keys];
  const isAdFamily = (family: number) => keysOf(family).some(isOfAd);
  const priorsOf = (prior: number): number[] => (prior < 0 ? [] : [...priorsOf(ops.priorBase[prior]), prior]);
  const withOwners = (list: readonly number[]) => list.flatMap((f) => [families[f].owner, f]).filter((f) => f >= 0);
  const isAdPrior = (prior: number) => priorsOf(prior).some((p) => isAdFamily(ops.priorFamilies[p]));
  const every = Array.from({ length: ops.count }, (_, op): Op => {
    const family = ops.families[op];
    const priors = priorsOf(ops.priors[op]);
    const own = keysOf(family);
    const others = priors.flatMap((prior) => keysOf(ops.priorFamilies[prior]));
    if (ops.kinds[op] === SAME) others.push(ops.b[op]);
    const isUser = [family, ...priors.map((prior) => ops.priorFamilies[prior])].some((f) => families[f].isUser);
    const { owner } = families[family];
    const isOthersAd = others.some(isOfAd);
    const isPair = isUser && !isOthersAd && owner >= 0 && families[owner].isUser && !isOfAd(own[0]) && isOfAd(own[1]);
    const isOpen = ops.kinds[op] === RATE && !isOthersAd && others.some((key) => !own.includes(key));
    return { op, family, priors, keys: [...new Set([...own, ...others])], isUser, isPair, isOpen };
  });
  const all = every.filter(({ op }) => fields?.counters.has(ops.counters[op]) ?? true);
  const familiesOf = (chosen: readonly Op[]) => [
    ...chosen.map(({ family }) => family),
    ...chosen.flatMap(({ priors }) => priors.map((prior) => ops.priorFamilies[prior])),
  ];
  const adPart = (chosen: readonly Op[], more: readonly number[] = []): Part => ({
    families: ints(withOwners([...familiesOf(chosen), ...more]).filter(isAdFamily)),
    priors: ints(chosen.flatMap(({ priors }) => priors.filter(isAdPrior))),
    ops: ints(chosen.map(({ op }) => op)),
  });
  const ofAds = all.filter(({ keys }) => keys.some(isOfAd));
  const isOfAdBySequence = plan.sequencePlans.map(({ family }, s) =>
    (fields?.sequences.has(s) ?? true) ? isAdFamily(family) : undefined,
  );
  const sequenceFamilies = plan.sequencePlans.flatMap(({ family }, s) =>
    isOfAdBySequence[s] === undefined ? [] : family,
  );
  const keptPart = (chosen: readonly Op[]): KeptPart => {
    const [{ isOpen, keys, family }] = chosen;
    const deciding = isOpen ? keysOf(family) : keys;
    const finished = chosen.filter((op) => !op.isOpen);
    return {
      ...adPart(finished),
      families: adPart(chosen).families,
      viewed: ints(familiesOf(chosen).filter(isAdFamily)),
      openOps: ints(chosen.filter((op) => op.isOpen).map(({ op }) => op)),
      adKeys: deciding.filter(isOfAd),
      requestKeys: deciding.filter((key) => !isOfAd(key)),
    };
  };
  const left = ofAds.filter(({ isUser, isPair }) => isUser && !isPair);
  return {
    ofRequest: {
      families: ints(withOwners([...familiesOf(all), ...sequenceFamilies]).filter((f) => !isAdFamily(f))),
      priors: ints(all.flatMap(({ priors }) => priors.filter((prior) => !isAdPrior(prior)))),
      ops: ints(all.filter((op) => !ofAds.includes(op)).map(({ op }) => op)),
    },
    kept: grouped(
      ofAds.filter(({ isUser }) => !isUser),
      ({ isOpen, keys, family }) => String((isOpen ? keysOf(family) : keys).toSorted((a, b) => a - b)),
    ).map(keptPart),
    pairs: grouped(
      ofAds.filter(({ isPair }) => isPair),
      ({ family }) => String(family),
    ).map((own) => ({
      family: own[0].family,
      ops: own.map(({ op }) => op),
    })),
    ofAd: adPart(left, sequenceFamilies.filter(isAdFamily)),
    counterIsOfAd: plan.counters.map((_, c) => ofAds.some(({ op }) => ops.counters[op] === c)),
    sequenceIsOfAd: isOfAdBySequence,
  };
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): [T, ...T[]][] {
  const groups = new Map<string, [T, ...T[]]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return [...groups.values()];
}
