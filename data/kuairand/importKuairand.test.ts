import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newTestFolder, rowsOf } from '../testFolder.ts';
import { importKuairand } from './importKuairand.ts';

const source = newTestFolder();
const { write } = source;

const LOG = 'user_id,video_id,date,hourmin,time_ms,tab,is_click,long_view,play_time_ms,duration_ms';
const USERS = 'user_id,user_active_degree,onehot_feat4,tab\n7,full_active,1.0,9\n8,UNKNOWN,,8\n';
const VIDEOS =
  'video_id,author_id,upload_dt,video_duration,tag\n1,70,2022-04-20,1000.0,"3,12"\n2,71,,,39\n3,72,2022-04-26,2.5,\n';

describe('importing KuaiRand', () => {
  it('joins users and videos to every log of the folder, one folder a day', async () => {
    await write('user_features.csv.gz', USERS);
    await write('video_features_basic.csv.gz', VIDEOS);
    await write('impressions_b.csv.gz', `${LOG}\n9,2,20220426,2359,1650988799000,1,0,1,5,6\n`);
    await write(
      'impressions_a.csv.gz',
      `${LOG}\n7,1,20220425,0,1650812741436,1,1,1,61802,49866\n8,3,20220425,1305,1650862741436,0,1,0,0,0\n`,
    );
    const result = await importKuairand(source.path, source.out);
    expect(result).toEqual({
      rowCount: 3,
      files: [
        join(source.out, 'date=2022-04-25', 'part-0.parquet'),
        join(source.out, 'date=2022-04-26', 'part-0.parquet'),
      ],
      days: ['2022-04-25', '2022-04-26'],
      warnings: [
        '1 rows have a long_view without a click; they are kept as they are',
        expect.stringMatching(/^1 rows have a user that .*user_features.csv.gz lacks; their user columns are null$/),
      ],
    });
    const log = { user_id: 7, video_id: 1, hourmin: 0, time_ms: 1650812741436, tab: 1, is_click: 1, long_view: 1 };
    expect(await rowsOf(source.out)).toEqual([
      {
        ...log,
        ...{ play_time_ms: 61802, duration_ms: 49866, hour: 0, weekday: 0, date: '2022-04-25' },
        ...{ user_active_degree: 'full_active', onehot_feat4: 1, user_tab: 9 },
        ...{ author_id: 70, upload_dt: '2022-04-20', video_duration: 1000, tag: '3,12', tags: [3, 12] },
        ...{ topic: 3, play_ratio: Math.fround(61802 / 49866), duration_band: 11 },
        video_upload_age_days: 5,
      },
      {
        ...{ user_id: 8, video_id: 3, hourmin: 1305, time_ms: 1650862741436, tab: 0, is_click: 1, long_view: 0 },
        ...{ play_time_ms: 0, duration_ms: 0, hour: 13, weekday: 0, date: '2022-04-25' },
        ...{ user_active_degree: 'UNKNOWN', onehot_feat4: null, user_tab: 8 },
        ...{ author_id: 72, upload_dt: '2022-04-26', video_duration: 2.5, tag: null, tags: null },
        ...{ topic: null, play_ratio: null, duration_band: 0 },
        video_upload_age_days: -1,
      },
      {
        ...{ user_id: 9, video_id: 2, hourmin: 2359, time_ms: 1650988799000, tab: 1, is_click: 0, long_view: 1 },
        ...{ play_time_ms: 5, duration_ms: 6, hour: 23, weekday: 1, date: '2022-04-26' },
        ...{ user_active_degree: null, onehot_feat4: null, user_tab: null },
        ...{ author_id: 71, upload_dt: null, video_duration: null, tag: '39', tags: [39] },
        ...{ topic: 39, play_ratio: Math.fround(5 / 6), duration_band: 0 },
        video_upload_age_days: null,
      },
    ]);
  });

  it('refuses a folder without logs or side tables, and a log without its columns', async () => {
    await expect(importKuairand(join(source.path, 'none'), source.out)).rejects.toMatchObject({ kind: 'missing' });
    await expect(importKuairand(source.path, source.out)).rejects.toThrow(/has no impressions_\*\.csv\.gz/);
    await write('impressions_a.csv', 'user_id,video_id\n1,2\n');
    await expect(importKuairand(source.path, source.out)).rejects.toThrow(/user_features\.csv\.gz: no such file/);
    await write('user_features.csv', USERS);
    await write('video_features_basic.csv', VIDEOS);
    await expect(importKuairand(source.path, source.out)).rejects.toThrow(
      /impressions_a\.csv: has no column 'date', 'hourmin'/,
    );
    await write('user_features.csv', `${USERS}7,low,2.0,1\n`);
    await expect(importKuairand(source.path, source.out)).rejects.toThrow(/has user_id 7 twice/);
    expect(await readdir(source.path)).not.toContain('out');
  });
});
