import { describe, expect, it } from 'vitest';
import { globMatcher } from './filePatterns.ts';

describe('a glob', () => {
  it.each([
    ['*.parquet', ['a.parquet', '.parquet'], ['a.csv', 'x/a.parquet', 'aXparquet']],
    [
      'date=2022-*/*.parquet',
      ['date=2022-04-25/part-0.parquet'],
      ['date=2022-04-25/x/a.parquet', 'date=2021-1/a.parquet'],
    ],
    ['**/*.parquet', ['a.parquet', 'x/a.parquet', 'x/y/a.parquet'], ['x/a.csv']],
    ['x/**', ['x/a', 'x/y/a'], ['y/a']],
    ['part-?.csv', ['part-0.csv'], ['part-10.csv', 'part-/.csv']],
    ['[ab]*.{csv,tsv}', ['a1.csv', 'b.tsv'], ['c.csv', 'a.txt']],
    ['[!a].csv', ['b.csv'], ['a.csv']],
    ['a+(b).csv', ['a+(b).csv'], ['aab.csv']],
  ])('%s', (glob, matching, others) => {
    expect(matching.filter((path) => !globMatcher(glob).test(path))).toEqual([]);
    expect(others.filter((path) => globMatcher(glob).test(path))).toEqual([]);
  });
});
