import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { StageRecord } from '@caloron/noether';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { readStageStore, updateStageStore, writeStageStore } from './stage-store.ts';
import { endChildren, startChild } from './testing/children.ts';
import { stageRecord, tempDir } from './testing/fixtures.ts';

let dir: string;
let remove: () => void;
let file: string;
beforeEach(() => {
  ({ dir, remove } = tempDir());
  file = join(dir, '.noether', 'store.json');
});
afterEach(async () => {
  await endChildren();
  remove();
});

describe('the stage store file', () => {
  it('gives back the records written, unknown fields and all, in the original format', async () => {
    const records = [stageRecord('a'), { ...stageRecord('b'), note: 'ours' } as StageRecord];

    await writeStageStore(file, records);

    expect(await readStageStore(file)).toEqual(records);
    expect(Object.keys(JSON.parse(readFileSync(file, 'utf8')) as object)).toEqual(['stages']);
    expect(readdirSync(join(dir, '.noether'))).toEqual(['store.json']);
  });

  it('is empty where there is none', async () => {
    expect(await readStageStore(file)).toEqual([]);
  });

  it('names file and place of what is damaged, and is left alone by a change', async () => {
    const damaged = JSON.stringify({ stages: [stageRecord('a'), { ...stageRecord('b'), id: 'short' }] });
    mkdirSync(join(dir, '.noether'));
    writeFileSync(file, damaged);

    await expect(readStageStore(file)).rejects.toMatchObject({
      code: 'STORE_STAGES_INVALID',
      details: { file },
    });
    await expect(readStageStore(file)).rejects.toThrow(/stages\.1\.id expected 64 hex digits/);
    await expect(updateStageStore(file, () => [])).rejects.toMatchObject({ code: 'STORE_STAGES_INVALID' });
    expect(readFileSync(file, 'utf8')).toBe(damaged);
  });

  it.each(['', '{"stages":', '[]', '{}', `{"stages":${'['.repeat(9_999)}${']'.repeat(9_999)}}`])(
    'refuses a file that holds %j',
    async (text) => {
      writeFileSync(join(dir, 'store.json'), text);

      await expect(readStageStore(join(dir, 'store.json'))).rejects.toMatchObject({
        code: 'STORE_STAGES_INVALID',
      });
    },
  );

  it('says line and column of what is no JSON, and how the file is written anew', async () => {
    const odd = join(dir, 'my store.json');
    writeFileSync(odd, '{\n "stages": [}');
    await expect(readStageStore(odd)).rejects.toMatchObject({
      message: `${odd} is no stage store: line 2, column 13: not JSON, expected a value`,
      hint: expect.stringContaining(`./noether stage sync --store '${odd}'`) as string,
    });
  });

  it('whose lock no waiting will give is told at once', async () => {
    const begun = performance.now();
    // With `.lock` the name is longer than a file system takes.
    await expect(updateStageStore(join(dir, 'a'.repeat(252)), () => [])).rejects.toMatchObject({
      code: 'STORE_STAGES_FAILED',
    });
    expect(performance.now() - begun).toBeLessThan(30_000);
  });

  it('refuses a directory', async () => {
    await expect(readStageStore(dir)).rejects.toMatchObject({ code: 'STORE_STAGES_FAILED' });
  });

  it('never takes in a record it could not read back', async () => {
    await writeStageStore(file, [stageRecord('a')]);

    await expect(writeStageStore(file, [{ ...stageRecord('b'), id: 'x' }])).rejects.toMatchObject({
      code: 'STORE_STAGES_INVALID',
    });

    expect(await readStageStore(file)).toEqual([stageRecord('a')]);
    await updateStageStore(file, (records) => [...records, stageRecord('c')]);
    expect(await readStageStore(file)).toHaveLength(2);
  });

  it('loses no record when processes add at once', async () => {
    const children = ['a', 'b', 'c'].map((name) => startChild('./stage-adder.ts', [file, name, '8']));

    expect(await Promise.all(children.map(({ ended }) => ended))).toEqual([0, 0, 0]);

    const names = (await readStageStore(file)).map(({ name }) => name);
    expect(new Set(names).size).toBe(24);
  });
});
