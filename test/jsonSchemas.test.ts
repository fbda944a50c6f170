import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Schema from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import { jsonSchemas } from '../scripts/buildSchema.ts';
import { buildModel } from '../src/model/architectures.ts';
import { parseSchema } from '../src/schema/parseSchema.ts';
import { parseConfig, trainingDefaults } from '../training/config.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string) => JSON.parse(readFileSync(join(root, file), 'utf8'));

/** The committed file, as an editor applies it. */
const checker = (file: string) => {
  const compiled = Schema.Compile(read(file));
  return (json: unknown) => compiled.Check(json);
};

describe('the JSON Schemas for editors', () => {
  it.each([...jsonSchemas()])('%s is what npm run build:schema writes', (file, content) => {
    expect(read(file)).toEqual(content);
  });

  const shipped = (readdirSync(join(root, 'data'), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.json'))
    .map((name) => `data/${name}`);

  it.each(shipped)('pass %s, which limelight reads too', (file) => {
    const json = read(file);
    const isSchema = 'fields' in json;
    expect(checker(`schema/${isSchema ? 'limelight' : 'config'}.schema.json`)(json)).toBe(true);
    if (isSchema) expect(parseSchema(json).fields.length).toBeGreaterThan(3);
    else expect(parseConfig(json).training.batchSize).toBeGreaterThan(0);
  });

  const good = {
    $schema: './limelight.schema.json',
    name: 'log',
    labels: [{ name: 'click', column: 'click' }],
    fields: [{ name: 'adId', kind: 'id', scope: 'ad' }],
  };

  it.each([
    ['an unknown key', { ...good, feilds: [] }],
    ['no labels', { ...good, labels: [] }],
    ['an unknown kind', { ...good, fields: [{ name: 'adId', kind: 'idd', scope: 'ad' }] }],
    ['a key of another kind', { ...good, fields: [{ name: 'adId', kind: 'id', scope: 'ad', length: 3 }] }],
  ])('refuse a schema with %s', (_, json) => {
    const check = checker('schema/limelight.schema.json');
    expect([check(good), check(json)]).toEqual([true, false]);
  });

  it.each([
    [{}, true],
    [{ architecture: 'senet-dnn', model: { hidden: [64], crossRank: null, gateActivation: 'sigmoid' } }, true],
    [{ architecture: 'fm', model: { embeddingSize: 8 } }, true],
    [{ model: { hidden: [8] } }, true],
    [{ training: { idDropout: { max: 0.1, scale: 5 } } }, true],
    [{ architecture: 'lr', model: { hidden: [64] } }, false],
    [{ architecture: 'senet-dnn', model: { hiden: [64] } }, false],
    [{ architecture: 'resnet' }, false],
    [{ model: { layers: 3 } }, false],
    [{ training: { batchsize: 3 } }, false],
  ])('say of the configuration %j what limelight says: %s', (config, expected) => {
    expect(checker('schema/config.schema.json')(config)).toBe(expected);
    const read = () => {
      const { architecture = 'senet-dnn', model } = parseConfig(config);
      return buildModel(architecture, parseSchema(good), model);
    };
    if (expected) expect(read().model.tasks).toHaveLength(1);
    else expect(read).toThrow(/unknown '|unknown architecture/);
  });

  it('name the default of every hyper-parameter', () => {
    const { training } = read('schema/config.schema.json').properties;
    for (const [name, value] of Object.entries(trainingDefaults)) {
      const shown = value === 'adam' ? 'Lazy Adam, the default' : String(value);
      expect(training.properties[name].description, name).toContain(shown);
    }
  });
});
