import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { buildCatalog } from '@caloron/noether';
import { openStageStore } from '@caloron/store';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { loadCatalog } from './catalog.ts';
import { verifyStageStore } from './verify-stages.ts';

const { entries } = loadCatalog();
const three = entries.slice(0, 3);
const catalog = buildCatalog(three.map(({ stage, record }) => ({ stage, archive: record.archive ?? {} })));

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-verify-'));
  file = join(dir, 'store.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const seed = (stages = catalog.entries): Promise<unknown> =>
  openStageStore({ file }).seed(stages.map(({ record }) => record));
const code = (expected: string): object => expect.objectContaining({ code: expected }) as object;

it('S24 takes a store that holds the stages as they are, and writes nothing', async () => {
  await seed();
  const text = readFileSync(file, 'utf8');

  await expect(verifyStageStore(file, catalog)).resolves.toBeUndefined();
  expect(readFileSync(file, 'utf8')).toBe(text);
});

it('S28 refuses one that is not there, or lacks a stage', async () => {
  await expect(verifyStageStore(file, catalog)).rejects.toEqual(code('SCHEDULER_STORE_MISSING'));
  await seed(catalog.entries.slice(1));
  await expect(verifyStageStore(file, catalog)).rejects.toEqual(code('SCHEDULER_STORE_STALE'));
});

it('S28 refuses what is no file, and does not wait for a pipe', async () => {
  await execa('mkfifo', [file]);
  for (const path of [file, dir])
    await expect(verifyStageStore(path, catalog)).rejects.toEqual(
      expect.objectContaining({ message: `${path} cannot be used: it is no file` }),
    );
});

it('refuses one that was edited, or that nobody trusted wrote', async () => {
  await seed();
  rmSync(join(dir, 'author-key.hex'));
  await expect(verifyStageStore(file, catalog)).rejects.toEqual(code('STAGE_UNTRUSTED'));

  writeFileSync(file, readFileSync(file, 'utf8').replace(/"description": "/u, '"description": "Not '));
  await expect(verifyStageStore(file, catalog)).rejects.toThrow(
    /description is stored as [0-9a-f]{16}, recomputed [0-9a-f]{16}/,
  );
});
