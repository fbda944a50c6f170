import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { problemsOf } from './parseSchema.ts';

describe('a union of types', () => {
  const shape = Type.Object({
    id: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    rank: Type.Optional(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])),
    ad: Type.Optional(Type.Union([Type.String(), Type.Object({})])),
    values: Type.Optional(Type.Record(Type.String(), Type.Union([Type.Number(), Type.Boolean()]))),
  });

  it.each<[object, string[]]>([
    [{ id: null }, ['/id must be one of string, number, got null']],
    [{ ad: [1] }, ['/ad must be one of string, object, got [1]']],
    [{ rank: 'all' }, ['/rank must be one of integer, null, got "all"']],
    [
      { values: { viewMs: '500', seen: null } },
      [
        '/values/viewMs must be one of number, boolean, got "500"',
        '/values/seen must be one of number, boolean, got null',
      ],
    ],
    [{ rank: 0 }, ['/rank must be >= 1, got 0']],
    [{ rank: 1.5 }, ['/rank must be integer, got 1.5']],
    [{ id: 1, rank: null, ad: {}, values: { seen: true, viewMs: 500 } }, []],
  ])('of %j is told as one problem of the type that was meant, or with those there are', (value, problems) => {
    expect(problemsOf(shape, value, (path) => path)).toEqual(problems);
  });
});
