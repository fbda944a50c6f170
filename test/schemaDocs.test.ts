import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parseSchema } from '../src/schema/parseSchema.ts';

it('docs/schema.md shows schemas that can be read', () => {
  const text = readFileSync(new URL('../docs/schema.md', import.meta.url), 'utf8');
  const schemas = [...text.matchAll(/```json\n(.*?)```/gs)].map(([, json]) => parseSchema(JSON.parse(json)));
  expect(schemas.map(({ name }) => name)).toEqual(['shop', 'videos']);
});
