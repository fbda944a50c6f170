import { describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { readBanditSettings } from './settings.ts';

describe('bandit settings', () => {
  it('have defaults, and are taken as they are given', () => {
    const settings = readBanditSettings({ policy: 'kl-ucb', epsilon: 0.05, examination: [1, 0.6] });
    expect(settings).toMatchObject({ policy: 'kl-ucb', epsilon: 0.05, examination: [1, 0.6], priorExposures: 100 });
    expect(readBanditSettings()).toEqual(readBanditSettings({}));
  });

  it('leave exploration under our own policy alone, unless they are told', () => {
    expect(readBanditSettings().exit).toBe(true);
    expect(readBanditSettings({ policy: 'ucb1' }).exit).toBe(false);
    expect(readBanditSettings({ policy: 'ucb1', exit: true }).exit).toBe(true);
  });

  it('are refused with every mistake at once', () => {
    const wrong = { epsilom: 0.1, epsilon: 2, policy: 'best', windows: 2.5, examination: [1, 0], exit: 1 };
    expect(() => readBanditSettings(wrong, 'bandit.json')).toThrow(UserError);
    let message = '';
    try {
      readBanditSettings(wrong, 'bandit.json');
    } catch (error) {
      message = (error as Error).message;
    }
    for (const part of [
      "there is no setting 'epsilom'; did you mean 'epsilon'?",
      'epsilon is 2; expected a number above 0 up to 1',
      "policy is 'best'; expected one of default,",
      'windows is 2.5; expected a whole number from 2 up to 1000',
      'examination is a list; expected a list of numbers from 2^-20 up to 1',
      'exit is 1; expected true or false',
    ])
      expect(message).toContain(`bandit.json: ${part}`);
  });

  it('refuse a propensity of 0: choices that are never made tell nothing of what they would bring', () => {
    expect(() => readBanditSettings({ epsilon: 0 })).toThrow('epsilon is 0; expected a number above 0 up to 1');
    expect(() => readBanditSettings({ greedyEpsilon: 0 })).toThrow('greedyEpsilon is 0');
  });

  it.each([null, [], 'ucb1', 3])('refuse %j, which is no object', (json) => {
    expect(() => readBanditSettings(json)).toThrow('expected an object of settings');
  });

  it('want contexts for linucb, and for it alone', () => {
    expect(() => readBanditSettings({ policy: 'linucb' })).toThrow(
      `policy 'linucb' needs segments; name a .json file with "policy": "linucb", "segment" (a field of requests) and "segments" (its values)`,
    );
    for (const json of [{ contextSize: 3 }, { segment: 'age' }, { segments: ['18-24'] }])
      expect(() => readBanditSettings(json)).toThrow("for policy 'linucb' alone");
    expect(readBanditSettings({ policy: 'linucb', contextSize: 3 }).contextSize).toBe(3);
  });

  it('list the segments of linucb, of which other values are one more', () => {
    const json = { policy: 'linucb', segment: 'age', segments: ['18-24', '25-34'] };
    const settings = readBanditSettings(json);
    expect(settings).toMatchObject({ ...json, contextSize: 3 });
    expect(readBanditSettings(settings)).toEqual(settings);
    const many = Array.from({ length: 64 }, (_, i) => `${i}`);
    for (const segments of [undefined, [], [18, 25], ['18-24', '18-24'], '18-24', many])
      expect(() => readBanditSettings({ ...json, segments })).toThrow('expected 1 to 63 values of the field');
    expect(readBanditSettings({ ...json, segments: many.slice(1) }).contextSize).toBe(64);
    expect(() => readBanditSettings({ ...json, segment: undefined })).toThrow(
      'segment is undefined; expected the field',
    );
    expect(() => readBanditSettings({ ...json, contextSize: 16 })).toThrow('it follows from segments');
  });

  it('refuse weights that leave no reward', () => {
    expect(() => readBanditSettings({ clickWeight: 0 })).toThrow('clickWeight and revenueWeight are both 0');
    expect(readBanditSettings({ clickWeight: 0, revenueWeight: 1 }).clickWeight).toBe(0);
  });

  it('refuse a position that is looked at so little that its exposures would round to 0', () => {
    expect(() => readBanditSettings({ examination: [1, 2 ** -22] })).toThrow('from 2^-20 up to 1');
    expect(readBanditSettings({ examination: [1, 2 ** -20] }).examination[1]).toBe(2 ** -20);
  });
});
