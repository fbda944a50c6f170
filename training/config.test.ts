import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UserError } from '../src/core/errors.ts';
import { parseConfig, readJson, trainingDefaults } from './config.ts';

describe('parseConfig', () => {
  it('fills in what is absent', () => {
    const source = 'configuration';
    const precisionLimits = { auc: 0.0003, logLoss: 0.0003 };
    const defaults = { source, model: {}, training: trainingDefaults, precisionLimits, auxiliary: [] };
    expect(parseConfig({})).toEqual(defaults);
    const given = {
      architecture: 'lr',
      model: { a: 1 },
      training: { batchSize: 7, idDropout: { max: 0.1, scale: 2 } },
      precisionLimits: { auc: 0.002 },
    };
    expect(parseConfig(given)).toEqual({
      source,
      architecture: 'lr',
      model: { a: 1 },
      training: { ...trainingDefaults, batchSize: 7, idDropout: { max: 0.1, scale: 2 } },
      precisionLimits: { auc: 0.002, logLoss: 0.0003 },
      auxiliary: [],
    });
  });

  it('names every mistake together, where it is and what was got', () => {
    const bad = {
      epochs: 3,
      training: {
        batchSize: 0,
        learningRate: '0.1',
        embeddingOptimizer: 'sgd',
        idDropout: { max: 2 },
        negativeSampling: 0,
      },
    };
    let message = '';
    try {
      parseConfig(bad, 'c.json');
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.split('\n').sort()).toEqual(
      [
        "c.json: the file has unknown 'epochs'; remove or correct it",
        'c.json: training.batchSize must be >= 1, got 0',
        'c.json: training.embeddingOptimizer must be one of adam, adagrad, got "sgd"',
        'c.json: training.idDropout.max must be <= 1, got 2',
        "c.json: training.idDropout lacks 'scale'",
        'c.json: training.learningRate must be number, got "0.1"',
        'c.json: training.negativeSampling must be > 0, got 0',
      ].sort(),
    );
  });

  it('throws a UserError alone, whatever the JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (json) => {
        try {
          parseConfig(json);
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
    );
    for (const json of [null, [], 3, 'x'])
      expect(() => parseConfig(json, 'c.json')).toThrow('c.json: the file must be object');
  });
});

describe('readJson', () => {
  it('says which file cannot be read, and which is not JSON', () => {
    const folder = mkdtempSync(join(tmpdir(), 'config-test-'));
    const file = join(folder, 'c.json');
    writeFileSync(file, '{"a": 1');
    expect(() => readJson(file, 'configuration')).toThrow(/c\.json: not valid JSON \(.*\); correct the file/);
    expect(() => readJson(join(folder, 'none.json'), 'schema')).toThrow(
      /schema '.*none\.json' cannot be read \(ENOENT.*\); correct the path/,
    );
    rmSync(folder, { recursive: true });
  });
});
