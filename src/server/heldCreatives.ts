import { readFile } from 'node:fs/promises';
import { messageOf, UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearestName.ts';
import { type CreativeBandit, createBandit } from '../creative/bandit.ts';
import type { ArmCounts, Arms } from '../creative/creative.ts';
import { policyNames } from '../creative/policyNames.ts';
import { type BanditSettings, readBanditSettings } from '../creative/settings.ts';
import { checkArrival } from '../history/arrival.ts';
import type { EventRows } from '../history/history.ts';
import { limitsOf } from '../history/historyPlan.ts';
import type { RankedSlot } from '../ranking/answer.ts';
import { parseJson } from '../schema/parseSchema.ts';
import type { Schema } from '../schema/schema.ts';
import { readStateFile, writeStateFile } from './stateFile.ts';

/** What has been told is made use of at once; what the clock alone moves, no more often than this. */
const settleMs = 1000;

/** A bandit that a server chooses creatives with, and what was chosen. It outlives the models that it is asked with. */
export class HeldCreatives {
  readonly bandit: CreativeBandit;
  /** Where it began: for the log. */
  readonly origin: string;
  /** Slots answered: of ads that still explore, and of others; and Σ of their propensities. */
  readonly chosen = { explore: 0, exploit: 0, propensities: 0 };
  private settledMs = Number.NEGATIVE_INFINITY;

  constructor(bandit: CreativeBandit, origin: string) {
    this.bandit = bandit;
    this.origin = origin;
  }

  /** Lets windows end that have, and choices follow. */
  settleByClock(nowMs: number): void {
    if (Math.abs(nowMs - this.settledMs) < settleMs) return;
    this.bandit.settle(nowMs);
    this.settledMs = nowMs;
  }

  /**
   * Takes in what was shown and what came of it, all or none; the next choice follows it.
   *
   * @throws UserError for more clicks or views of a creative than impressions
   */
  add(counts: readonly ArmCounts[], nowMs: number): void {
    if (counts.length === 0) return;
    this.check(counts);
    this.settleByClock(nowMs);
    this.bandit.addAll(counts);
    this.bandit.settle(nowMs);
  }

  /** Throws what `add` would, and changes nothing. */
  check(counts: readonly ArmCounts[]): void {
    asOfEvents(() => this.bandit.check(counts));
  }

  /**
   * Refuses events by when they came, as history does, for a server without one.
   *
   * @param isReplay whether they say so themselves: none may be older than the window that the record is in, either
   * @throws UserError for an impression that came later than `lateness`, and for events of a time to come
   */
  checkArrivals(rows: EventRows, schema: Schema, isReplay: boolean): void {
    const { window, windowMs } = this.bandit.record;
    const watermarkMs = isReplay ? window * windowMs : Number.NEGATIVE_INFINITY;
    const { latenessMs } = limitsOf(schema.history);
    asOfEvents(() => {
      for (let row = 0; row < rows.rowCount; row++) checkArrival(rows, row, watermarkMs, latenessMs);
    });
  }

  /** Counts the choices of an answer. */
  answered(slots: readonly RankedSlot[]): void {
    for (const { exploring, propensity = 1 } of slots) {
      if (exploring === undefined) continue;
      this.chosen[exploring ? 'explore' : 'exploit']++;
      this.chosen.propensities += propensity;
    }
  }
}

/**
 * The bandit that a server begins with.
 *
 * @param policy a policy's name, or a JSON file of settings; ours where absent
 * @param state  a file that `saveBandit` wrote; one that has seen nothing where absent
 * @throws UserError if a file is missing, damaged or of another version
 */
export async function openBandit(arms: Arms, policy = 'default', state?: string): Promise<HeldCreatives> {
  const settings = await readPolicy(policy);
  if (state === undefined) return new HeldCreatives(createBandit(arms, settings), 'empty');
  const source = `--creative-state '${state}'`;
  const saved = await reading(() => readStateFile(state, source), source);
  return new HeldCreatives(createBandit(arms, settings, saved, source), `from ${state}`);
}

function asOfEvents(check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(error.message.replace(/^(bandit|history): /, 'events: '));
  }
}

/** Settings by a policy's name, or a JSON file of them. @param flag that named it */
export async function readPolicy(policy: string, flag = '--creative-policy'): Promise<BanditSettings> {
  const source = `${flag} '${policy}'`;
  const isName = policyNames.some((name) => name === policy);
  if (!isName && !policy.endsWith('.json')) {
    const meant = nearestName(policy, policyNames);
    throw new UserError(
      `${source}: there is no such policy; ${meant ? `did you mean '${meant}'?` : `there are ${policyNames.join(', ')}`} Or name a .json file of settings`,
    );
  }
  const json = isName ? { policy } : parseJson(await reading(() => readFile(policy, 'utf8'), source), source);
  return readBanditSettings(json, source);
}

/** What reading a file gives. @throws UserError where that fails: what to do, by what failed */
export async function reading<T>(read: () => Promise<T>, source: string): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new UserError(`${source}: no such file; name one that exists`, 'missing');
    if (code === 'EISDIR') throw new UserError(`${source}: is a folder; name a file in it`);
    throw new UserError(`${source}: cannot be read: ${messageOf(error)}; check its permissions, or name another`);
  }
}

/** Writes what a bandit holds in place of the file, as it is when each ad's turn comes. */
export async function saveBandit(file: string, bandit: CreativeBandit): Promise<void> {
  const { head, ads } = bandit.saveInParts();
  try {
    await writeStateFile(file, head, ads);
  } catch (error) {
    throw new UserError(
      `--creative-state '${file}': cannot be written: ${messageOf(error)}; make room, or name another`,
    );
  }
}
