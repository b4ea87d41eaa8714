import { mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { checkGraph, parseGraph, runGraph, type StageRecord } from '@caloron/noether';
import { readStageSpec } from '@caloron/noether/records';
import { openStageStore } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { openCatalog } from './open-catalog.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-catalog-'));
  file = join(dir, 'store.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function spec(name: string, changes: object = {}): StageRecord {
  const given = {
    name,
    input: 'Text',
    output: 'Text',
    implementation: `def execute(value):\n    return value  # ${name}\n`,
    examples: [{ input: 'a', output: 'a' }],
    ...changes,
  };
  return { ...readStageSpec(given, name).record, lifecycle: 'Active' };
}

const graphOf = (id: string, config?: object): ReturnType<typeof parseGraph> =>
  parseGraph(
    JSON.stringify({ description: '', version: '0', root: { op: 'Stage', id, ...(config && { config }) } }),
    'graph',
  );

describe('a stage of the store whose code is not here', () => {
  it('is found by name, id, a beginning of it and signature, checked for its types, and refused before anything runs', async () => {
    const { record } = await openStageStore({ file }).put(spec('shout'));

    for (const reference of ['shout', record.id, record.id.slice(0, 12), record.signature_id]) {
      const graph = graphOf(reference);
      const catalog = await openCatalog(graph, file);
      const report = checkGraph(graph, catalog);

      expect(report.problems).toMatchObject([{ path: 'root', code: 'STAGE_NO_CODE' }]);
      expect(report.problems[0]?.message).toMatch(/shout.*python code cannot run here; .*docs\/stages\.md/);
      expect(report.input).toBe('Text');
    }
  });

  it('named by a stage that calls others is refused too', async () => {
    await openStageStore({ file }).put(spec('shout', { input: 'Any', output: 'Any', examples: [] }));
    const graph = graphOf('map', { stage_id: 'shout' });

    const { problems } = checkGraph(graph, await openCatalog(graph, file));

    expect(problems.map(({ code }) => code)).toContain('STAGE_NO_CODE');
  });

  it('leads to its successor where that one has code', async () => {
    const store = openStageStore({ file });
    const graph = graphOf('to_text');
    const [own] = (await openCatalog(graph, file)).entries;
    const { record } = await store.put(spec('old_to_text', { input: 'Any' }));
    await store.seed([own!.record]);
    await store.deprecate('old_to_text', 'to_text');

    const old = graphOf(record.id);
    const catalog = await openCatalog(old, file);
    const report = checkGraph(old, catalog);

    expect(report).toMatchObject({ ok: true, problems: [] });
    expect(report.steps.map(({ stage }) => stage)).toEqual(['to_text']);
    expect(report.warnings.join()).toContain('deprecated');
  });

  it('never stands in for a stage of the program of the same name', async () => {
    await openStageStore({ file }).put(spec('to_text'));

    for (const id of ['to_text', 'nobody']) {
      const graph = graphOf(id);
      const catalog = await openCatalog(graph, file);
      expect(catalog.resolve('to_text').record.archive).toBeDefined();
    }
  });

  it('signed by nobody trusted, or tampered with, is refused with the next step', async () => {
    await openStageStore({ file }).put(spec('shout'));
    const text = readFileSync(file, 'utf8');
    rmSync(join(dir, 'author-key.hex'));
    await expect(openCatalog(graphOf('shout'), file)).rejects.toMatchObject({
      code: 'STAGE_UNTRUSTED',
      hint: expect.stringMatching(/stage trust [0-9a-f]{64} --name WHO/) as string,
    });

    writeFileSync(file, text.replace('"input": "a"', '"input": "b"'));
    await expect(openCatalog(graphOf('shout'), file)).rejects.toMatchObject({ code: 'STAGE_TAMPERED' });
  });

  it('of an older store that carries no seals is refused with how the store is taken over', async () => {
    await openStageStore({ file }).put(spec('shout'));
    const { stages } = JSON.parse(readFileSync(file, 'utf8')) as { readonly stages: readonly object[] };
    const older = stages.map((stage) =>
      Object.fromEntries(Object.entries(stage).filter(([field]) => !field.startsWith('record_'))),
    );
    writeFileSync(file, JSON.stringify({ stages: older }));
    await expect(openCatalog(graphOf('shout'), file)).rejects.toMatchObject({
      code: 'STAGE_UNTRUSTED',
      hint: expect.stringContaining('./noether stage sync MOVED.json') as string,
    });
  });
});

it('a graph of stages of the program reads no store', async () => {
  writeFileSync(file, 'no store at all');
  const graph = graphOf('to_text');

  const result = await runGraph({
    graph,
    graph_name: 'g',
    input: 1,
    catalog: await openCatalog(graph, file),
    capabilities: () => ({}),
    clock: { now: () => '2026-04-14T08:30:00.000Z' },
    uuid: () => 'run',
  });

  expect(result).toMatchObject({ ok: true, output: '1' });
  await expect(openCatalog(graphOf('nobody'), file)).rejects.toMatchObject({ code: 'STORE_STAGES_INVALID' });
});
