import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { marketPresets } from '../data/simulator/presets.ts';
import { simulate } from '../data/simulator/simulate.ts';
import { createScorer, loadBundle, train } from '../src/index.ts';
import { createEncoder } from '../src/schema/encoder.ts';
import { scoreInBlocks } from '../src/scoring/scoreInBlocks.ts';
import { evaluate } from '../training/evaluate.ts';
import { silentReporter } from '../training/reporter.ts';
import { type ChoiceQuality, choiceQuality, drawChoices } from './creativeChoice/choices.ts';
import type { Topic, TopicOptions } from './topic.ts';

const readJson = (path: string) => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));

/** How well models choose among an ad's creatives, where the true chance of a click of each is known. */
export const creativeChoice: Topic = {
  name: 'creative-choice',
  summary:
    'AUC, and the true CTR of the creatives chosen, by the dual tower and by models of one tower, on the simulator',
  async run(options) {
    const folder = mkdtempSync(join(tmpdir(), 'limelight-creative-choice-'));
    try {
      const { impressionCount, rows } = await choiceRows(folder, options);
      return {
        setting: `simulator, preset creatives, ${impressionCount.toLocaleString('en')} impressions, trained on the first four fifths of the days, measured on the rest; each choice is among all creatives an ad has by then`,
        seed: 1,
        rows,
        notes: [
          'lift: mean true CTR of the chosen creatives above that of any; of best: what of the best creatives’ lift it reaches',
          'new: choices among the creatives alone that training saw fewer than 50 times',
        ],
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

interface Model {
  readonly name: string;
  readonly architecture: string;
  readonly schema: object;
  readonly config: { readonly model: { readonly right?: object }; readonly training: object };
  /** Of another model's name. */
  readonly distil?: string;
}

/** Those of the shipped schema and configuration, the same without some of their parts, and models to compare them with. */
function modelsOf(small: boolean): Model[] {
  const schema = readJson('data/simulator/schema.creatives.json');
  const shipped = readJson('data/simulator/config.creatives.json');
  const { right, ...left } = small ? { hidden: [8], right: { hidden: [8] } } : shipped.model;
  const { idDropout, ...training } = shipped.training;
  const towers = { architecture: 'dual-tower', schema, config: { ...shipped, model: { ...left, right } } };
  // Which a server would have to run once a creative.
  const large = small ? left : { ...left, hidden: [256, 128, 64], crossLayers: 3, crossRank: 64 };
  const oneTower = { architecture: 'senet-dnn', config: { model: large, training } };
  const plain = { ...towers.config, training };
  return [
    { name: 'senet-dnn, blind to creatives', ...oneTower, schema: withoutCreatives(schema) },
    { name: 'senet-dnn', ...oneTower, schema },
    { name: 'dual-tower', ...towers, config: plain },
    { name: 'dual-tower, id dropout', ...towers },
    { name: 'dual-tower, distilled', ...towers, config: plain, distil: 'senet-dnn' },
    { name: 'dual-tower, id dropout, distilled', ...towers, distil: 'senet-dnn' },
  ];
}

function withoutCreatives(schema: { fields: { name: string; scope?: string; of?: string[] }[] }): object {
  const dropped = new Set(schema.fields.filter(({ scope }) => scope === 'creative').map(({ name }) => name));
  const fields = schema.fields.filter(
    ({ name, of = [] }) => !dropped.has(name) && !of.some((part) => dropped.has(part)),
  );
  return { ...schema, fields };
}

/** A row a model. */
export async function choiceRows(folder: string, { small, log }: TopicOptions, names?: readonly string[]) {
  const impressionCount = small ? 3_000 : 300_000;
  const market = join(folder, 'market');
  const preset = 'creatives';
  const { days } = await simulate({ outDir: market, impressionCount, seed: 1, preset });
  const fromMs = Date.parse(days[0]) + 0.8 * days.length * 86_400_000;
  const count = small ? 200 : 25_000;
  const choices = drawChoices(marketPresets.get(preset)!, { seed: 1, impressionCount, fromMs, count });
  const rows: Record<string, string | number | null>[] = [];
  for (const { name, distil, ...given } of modelsOf(small)) {
    if (names !== undefined && !names.includes(name)) continue;
    const data = join(market, 'log');
    const out = join(folder, name);
    await train({
      ...given,
      train: data,
      valid: { fromMs },
      out,
      seed: 1,
      distil: distil === undefined ? undefined : join(folder, distil),
    });
    const bundle = await loadBundle(out);
    const { scorer } = await createScorer(bundle, {});
    const { tasks } = await evaluate(bundle, scorer, [data], silentReporter, { fromMs });
    const input = createEncoder(bundle.typed.schema, bundle.fitted).encode(choices.rows);
    const click = scoreInBlocks(scorer, input).get('click') as Float32Array;
    const rare = (row: number) => choices.shownBefore[row] < 50;
    rows.push({
      model: name,
      'click AUC': digits(tasks.click.auc),
      'log loss': digits(tasks.click.raw.logLoss, 5),
      'AUC of the ad': digits(tasks['click.ad']?.auc),
      ...shown('', choiceQuality(choices, click)),
      ...shown('new: ', choiceQuality(choices, click, rare)),
    });
    scorer.dispose();
    log(`${name}: ${JSON.stringify(rows.at(-1))}`);
  }
  return { impressionCount, rows };
}

const digits = (value: number | null | undefined, count = 4) =>
  value === null || value === undefined ? null : Number(value.toFixed(count));

function shown(prefix: string, { impressions, chosen, random, best }: ChoiceQuality) {
  const percent = (share: number) => (impressions === 0 ? null : `${(100 * share).toFixed(1)} %`);
  return {
    [`${prefix}lift`]: percent(chosen / random - 1),
    [`${prefix}of best`]: percent((chosen - random) / (best - random)),
  };
}
