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
      'examination is a list; expected a list of numbers above 0 up to 1',
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
    expect(() => readBanditSettings({ policy: 'linucb' })).toThrow('contextSize is 0');
    expect(() => readBanditSettings({ contextSize: 3 })).toThrow("contextSize is 3 with policy 'default'");
    expect(readBanditSettings({ policy: 'linucb', contextSize: 3 }).contextSize).toBe(3);
  });
});
