import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { architectures } from '../src/model/architectures.ts';
import { SchemaFile } from '../src/schema/schema.ts';
import { ConfigFile } from '../training/config.ts';

/*
 * The JSON Schemas of the files people write, so that editors complete and check them: npm run build:schema.
 */

const dialect = 'http://json-schema.org/draft-07/schema#';

/** What each generated file must hold, by its path from the project's root. */
export function jsonSchemas(): Map<string, unknown> {
  return new Map<string, unknown>([
    ['schema/limelight.schema.json', plain({ $schema: dialect, ...SchemaFile })],
    ['schema/config.schema.json', plain({ $schema: dialect, ...configSchema() })],
  ]);
}

/** A typebox shape as JSON has it: what it carries beside is not enumerable. */
const plain = (shape: object): unknown => JSON.parse(JSON.stringify(shape));

/** The configuration file, with the options of the architecture it names; of any where it names none. */
function configSchema(): object {
  const { properties, ...rest } = ConfigFile;
  return {
    ...rest,
    title: 'Limelight configuration',
    description: 'Architecture and hyper-parameters of a training: limelight train --config.',
    properties: {
      ...properties,
      architecture: {
        description: 'Used where --arch is absent; senet-dnn where that is absent too.',
        oneOf: architectures.map(({ name, summary }) => ({ const: name, description: summary })),
      },
    },
    allOf: [
      ...architectures.map(({ name, Options }) => ({
        if: { properties: { architecture: { const: name } }, required: ['architecture'] },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word.
        then: { properties: { model: Options } },
      })),
      {
        if: { not: { required: ['architecture'] } },
        // biome-ignore lint/suspicious/noThenProperty: JSON Schema's word.
        then: { properties: { model: { anyOf: architectures.map(({ Options }) => Options) } } },
      },
    ],
  };
}

function write(root: string): void {
  const files = jsonSchemas();
  mkdirSync(join(root, 'schema'), { recursive: true });
  for (const [file, content] of files) writeFileSync(join(root, file), `${JSON.stringify(content, null, 2)}\n`);
  execFileSync('npx', ['biome', 'format', '--write', ...files.keys()], { cwd: root, stdio: 'inherit' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) write(join(import.meta.dirname, '..'));
