import { against } from './against.bench.ts';
import { call } from './call.bench.ts';
import { creative } from './creative.bench.ts';
import { creativeChoice } from './creativeChoice.bench.ts';
import { creativeReplay } from './creativeReplay.bench.ts';
import { history } from './history.bench.ts';
import { hotPath } from './hotPath.bench.ts';
import { ingest } from './ingest.bench.ts';
import { load } from './load.bench.ts';
import { positions } from './positions.bench.ts';
import { quality } from './quality.bench.ts';
import { rankCreatives } from './rankCreatives.bench.ts';
import { roofline } from './roofline.bench.ts';
import { scaling } from './scaling.bench.ts';
import type { Topic } from './topic.ts';
import { towers } from './towers.bench.ts';
import { training } from './training.bench.ts';

/** Every topic; `npm run bench -- TOPIC…` runs some, without names all. */
export const topics: readonly Topic[] = [
  quality,
  training,
  ingest,
  hotPath,
  against,
  scaling,
  roofline,
  call,
  load,
  history,
  positions,
  creative,
  creativeChoice,
  creativeReplay,
  rankCreatives,
  towers,
];
