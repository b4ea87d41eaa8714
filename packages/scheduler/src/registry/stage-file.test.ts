import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { recordFaults } from '@caloron/noether/records';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { stageOfArchive } from './archive-code.ts';
import { stageOfFile } from './stage-file.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-stage-file-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function write(path: string, text: string): string {
  const file = join(dir, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const HEAD = `import { stageKit } from '@caloron/noether/stage';
import type { CaloronCapabilities } from '@caloron/types';
import { z } from 'zod';

const defineStage = stageKit<CaloronCapabilities>();
`;
const stage = (name: string, run = '({ text }) => ({ said: text.toUpperCase() })'): string =>
  `export const ${name} = defineStage({
  name: '${name}', description: 'Says a text loud.', effects: ['Pure'],
  input: z.object({ text: z.string() }), output: z.object({ said: z.string() }),
  examples: [{ input: { text: 'a' }, output: { said: 'A' } }],
  run: ${run},
});\n`;

describe('a stage in a TypeScript file', () => {
  it('becomes a record whose archive is the file and what it imports by path', async () => {
    write('p/shared/mark.ts', "export const mark: string = '!';\n");
    const file = write(
      'p/own/deep/shout.ts',
      `import { mark } from '../../shared/mark.ts';\n${HEAD}${stage('shout', '({ text }) => ({ said: text + mark })')}`,
    );

    const record = await stageOfFile(file);

    expect(Object.keys(record.archive ?? {})).toEqual(['own/deep/shout.ts', 'shared/mark.ts']);
    expect(recordFaults(record)).toEqual([]);
    expect((await stageOfArchive(record)).run({ text: 'a' }, {})).toEqual({ said: 'a!' });
  });

  it('has the same id wherever the file lies', async () => {
    const text = `${HEAD}${stage('shout')}`;

    const one = await stageOfFile(write('shout.ts', text));
    const other = await stageOfFile(write('a/b/c/shout.ts', text));

    expect(Object.keys(one.archive ?? {})).toEqual(['shout.ts']);
    expect(other.id).toBe(one.id);
  });

  it.each([
    ['exports nothing', 'export const x = 1;\n', /exports no stage/],
    ['exports two', `${HEAD}${stage('one')}${stage('two')}`, /several stages \(one, two\)/],
    ['is no TypeScript', 'export const = ;\n', /cannot be loaded/],
    [
      'reaches the machine',
      `import 'node:fs';\n${HEAD}${stage('shout')}`,
      /imports "node:fs"; a stage may import/,
    ],
    [
      'exports what looks like one',
      "export const x = { name: 'x', run: () => 1 };\n",
      /no stage of stageKit/,
    ],
    ['ends in failure', 'throw new Error("at once");\n', /at once/],
  ])('that %s is refused with what is wrong', async (_what, text, problem) => {
    await expect(stageOfFile(write('shout.ts', text))).rejects.toMatchObject({
      code: 'STAGE_SPEC_INVALID',
      message: expect.stringMatching(problem) as string,
    });
  });

  it('that is not there is told by its name', async () => {
    await expect(stageOfFile(join(dir, 'nothing.ts'))).rejects.toMatchObject({ code: 'SOURCE_MISSING' });
  });
});
