import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { fixed, several, textTable, timeMs, wholeNumber } from './output.ts';

describe('a time given on the command line', () => {
  it.each([
    ['2022-05-05', '2022-05-05T00:00:00Z'],
    ['2022-05-05T06:30:00', '2022-05-05T06:30:00Z'],
    ['2022-05-05 06:30', '2022-05-05T06:30:00Z'],
    ['2022-05-05T06:30:00.250Z', '2022-05-05T06:30:00.250Z'],
    ['2022-05-05T00:00:00+08:00', '2022-05-04T16:00:00Z'],
    ['2022-05-05 00:00:00+08:00', '2022-05-04T16:00:00Z'],
    ['1651708800000', '2022-05-05T00:00:00Z'],
    ['-86400000000', '1967-04-07T00:00:00Z'],
  ])('is read: %s', (text, iso) => {
    expect(timeMs(text)).toBe(Date.parse(iso));
  });

  it.each(['', 'yesterday', '05.05.2022', '2022-13-01', '2022', '20220505', '12:30', '2022-05-05T25:00:00'])(
    'is refused: %s',
    (text) => {
      expect(() => timeMs(text)).toThrow(InvalidArgumentError);
    },
  );
});

describe('a whole number given on the command line', () => {
  it('lies between its bounds', () => {
    const port = wholeNumber(1, 65535);
    expect([port('1'), port('65535')]).toEqual([1, 65535]);
    for (const text of ['0', '65536', '1.5', '-1', 'x', '', ' ', '1e999'])
      expect(() => port(text), text).toThrow('expected a whole number from 1 to 65535.');
    expect(() => wholeNumber(0)('-1')).toThrow('expected a whole number from 0.');
  });
});

describe('what commands print', () => {
  it('is laid out in columns, names to the left and numbers to the right', () => {
    expect(
      textTable(
        ['task', 'AUC', 'note'],
        [
          ['click', '0.7', 'a'],
          ['x', '0.75', 'long'],
        ],
        ['note'],
      ),
    ).toBe(['task    AUC  note', 'click   0.7  a', 'x      0.75  long'].join('\n'));
    expect(textTable(['task', 'AUC'], [])).toBe('task  AUC');
    expect([fixed(0.123456), fixed(0.5, 2), fixed(null), fixed(undefined)]).toEqual(['0.1235', '0.50', '–', '–']);
  });

  it('gathers an option given several times', () => {
    expect(several('b', several('a', undefined))).toEqual(['a', 'b']);
  });
});
