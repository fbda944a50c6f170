import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, describe, expect, it } from 'vitest';
import { UserError } from '../core/errors.ts';
import { createRandom } from '../core/random.ts';
import { randomBundle, randomInput } from '../scoring/conformance/randomBundle.ts';
import { exportModel } from '../scoring/onnx/exportModel.ts';
import { onnxFeeds } from '../scoring/onnx/feeds.ts';
import { writeOnnx } from './writeOnnx.ts';

const folder = mkdtempSync(join(tmpdir(), 'limelight-onnx-'));
const path = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('writeOnnx', () => {
  const bundle = randomBundle({ random: createRandom(3) });
  const exported = exportModel(bundle);
  const feeds = Object.fromEntries(
    onnxFeeds(exported.fields, randomInput(bundle, 5, createRandom(4))).map(({ name, type, data, shape }) => [
      name,
      new Tensor(type, data, shape),
    ]),
  );
  const answersOf = async (file: string) => {
    const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
    const outputs = await session.run(feeds);
    return session.outputNames.map((name) => outputs[name].data);
  };

  it('puts weights too large for one file into another, where a runtime finds them', async () => {
    expect(await writeOnnx(path('one.onnx'), exported, bundle.manifest)).toEqual([path('one.onnx')]);
    const two = await writeOnnx(path('two.onnx'), exported, bundle.manifest, 2_000);
    expect(two).toEqual([path('two.onnx'), path('two.onnx.data')]);
    expect(readFileSync(two[0]).length).toBeLessThan(readFileSync(path('one.onnx')).length);
    expect(await answersOf(path('two.onnx'))).toEqual(await answersOf(path('one.onnx')));
  });

  it('writes the same bundle as the same bytes', async () => {
    await writeOnnx(path('a.onnx'), exportModel(bundle), bundle.manifest);
    await writeOnnx(path('b.onnx'), exportModel(bundle), bundle.manifest);
    expect(readFileSync(path('a.onnx')).equals(readFileSync(path('b.onnx')))).toBe(true);
  });

  it('never overwrites a file, and leaves nothing behind where it cannot write', async () => {
    await writeOnnx(path('kept.onnx'), exported, bundle.manifest);
    await expect(writeOnnx(path('kept.onnx'), exported, bundle.manifest)).rejects.toThrow(
      new UserError(`${path('kept.onnx')}: exists already; name another file, or remove it first`, 'conflict'),
    );
    await writeOnnx(path('other.onnx.data'), exported, bundle.manifest);
    await expect(writeOnnx(path('other.onnx'), exported, bundle.manifest, 2_000)).rejects.toThrow(UserError);
    expect(existsSync(path('other.onnx'))).toBe(false);
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('refuses a field that has the name of an output', () => {
    const fields = [{ name: 'p_click', kind: 'id', scope: 'ad', size: 4 }] as const;
    const clashing = randomBundle({ random: createRandom(3), fields: [...fields, { ...fields[0], name: 'userId' }] });
    expect(() => exportModel(clashing)).toThrow(/field 'p_click' has the name of the output of task 'click'/);
  });
});
