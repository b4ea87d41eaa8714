import { copyFileSync, mkdtempSync, rmSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import {
  type Catalog,
  checkGraph,
  implementationHash,
  parseGraph,
  runGraph,
  type SignatureFacts,
  stageId,
  type StageRecord,
} from '@caloron/noether';

import { openStageStore, readVerifiedStages } from '@caloron/store';
import { authorKey, trustKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadCatalog } from './catalog.ts';
import { openCatalog } from './open-catalog.ts';
import { archived } from './testing/archived-stage.ts';
import { specStage as spec } from './testing/spec-stage.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-catalog-'));
  file = join(dir, 'store.json');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

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

describe('a stage of the store that carries its code', () => {
  let loaded: Catalog | undefined;
  const program = (): Catalog => (loaded ??= loadCatalog());
  const ask = async (id: string, config?: object, pinning?: string): Promise<unknown> => {
    const root = { op: 'Stage', id, ...(config && { config }), ...(pinning && { pinning }) };
    const graph = parseGraph(JSON.stringify({ description: '', version: '0', root }), 'graph');
    return runGraph({
      graph,
      graph_name: 'g',
      input: config === undefined ? 'a' : { items: ['a', 'b'] },
      catalog: await openCatalog(graph, file, program()),
      capabilities: () => ({}),
      clock: { now: () => '2026-04-14T08:30:00.000Z' },
      uuid: () => 'run',
    });
  };
  const shout = (name: string, changes = {}): StageRecord =>
    archived({ name, text: 'value.toUpperCase()', ...changes });

  it('runs, by name, id, a beginning of it and signature, also called by another stage', async () => {
    const { record } = await openStageStore({ file }).put(shout('cat_shout'));

    for (const reference of ['cat_shout', record.id, record.id.slice(0, 12), record.signature_id])
      expect(await ask(reference)).toMatchObject({ ok: true, output: 'A' });
    expect(await ask('map', { stage_id: 'cat_shout' })).toMatchObject({ ok: true, output: ['A', 'B'] });
  });

  it('runs pinned to its id after it was deprecated, and else its successor does', async () => {
    const store = openStageStore({ file });
    const { record: old } = await store.put(shout('cat_old'));
    await store.put(shout('cat_new', { text: '`${value}!`' }));
    await store.deprecate('cat_old', 'cat_new');

    expect(await ask(old.id)).toMatchObject({ ok: true, output: 'a!' });
    expect(await ask(old.id, undefined, 'both')).toMatchObject({ ok: true, output: 'A' });
  });

  it('never runs in place of a stage of the program that has its name or signature', async () => {
    const graph = graphOf('to_text');
    const own = (await openCatalog(graph, file, program())).resolve('to_text').record;
    const store = openStageStore({ file });
    const { record } = await store.put(archived({ name: 'dag_is_complete' }));
    const { record: leads } = await store.put(shout('cat_leads'));
    await store.put({ ...archived({ name: 'to_text' }), lifecycle: 'Active' });
    await store.deprecate(leads.id, 'to_text');

    const both = parseGraph(
      JSON.stringify({
        description: '',
        version: '0',
        root: {
          op: 'Parallel',
          branches: {
            a: { op: 'Stage', id: 'to_text' },
            b: { op: 'Stage', id: leads.id },
            c: { op: 'Stage', id: record.id },
            d: { op: 'Stage', id: own.signature_id },
          },
        },
      }),
      'graph',
    );
    const catalog = await openCatalog(both, file, program());

    expect(catalog.resolve('to_text').record.id).toBe(own.id);
    expect(catalog.resolve(own.signature_id).record.id).toBe(own.id);
    expect(catalog.resolve(leads.id).record.name).toBe('to_text');
    expect(catalog.resolve('dag_is_complete').foreign).toBe(false);
  });

  it('is refused where nobody trusts its author, and never loaded', async () => {
    await openStageStore({ file }).put(
      shout('cat_stranger', { imports: "Reflect.set(globalThis, 'cat_stranger', true);" }),
    );
    rmSync(join(dir, 'author-key.hex'));

    await expect(ask('cat_stranger')).rejects.toMatchObject({ code: 'STAGE_UNTRUSTED' });
    expect(Reflect.has(globalThis, 'cat_stranger')).toBe(false);
  });

  it('is found though somebody else, whom nobody trusts, has put another of its name there', async () => {
    const other = join(dir, 'other', 'store.json');
    await openStageStore({ file }).put(shout('cat_squatted'));
    const { record } = await openStageStore({ file: other }).put(
      archived({ name: 'cat_squatted', description: 'Gives another text.', text: "'stolen'" }),
    );
    const { stages } = JSON.parse(readFileSync(file, 'utf8')) as { readonly stages: readonly object[] };
    writeFileSync(file, JSON.stringify({ stages: [record, ...stages] }));

    expect(await ask('cat_squatted')).toMatchObject({ ok: true, output: 'A' });
    await expect(ask(record.id)).rejects.toMatchObject({ code: 'STAGE_UNTRUSTED' });
  });

  it('that a registry sealed in place of its author runs where both keys are trusted, and is loaded by neither alone', async () => {
    const [author, registry] = [join(dir, 'author'), join(dir, 'registry')];
    const { record: pushed } = await openStageStore({ file: join(author, 'store.json') }).put(
      shout('cat_pushed', { imports: "Reflect.set(globalThis, 'cat_pushed', true);" }),
    );
    const [{ public_key: of_author }, { public_key: of_registry }] = [
      await authorKey(author),
      await authorKey(registry),
    ];
    const { record: taken } = await openStageStore({ file: join(registry, 'store.json') }).put(pushed);
    expect(taken).toMatchObject({ signer_public_key: of_author, record_signer: of_registry });
    copyFileSync(join(registry, 'store.json'), file);

    const trusted = async (...keys: readonly string[]): Promise<unknown> => {
      rmSync(join(dir, 'trusted-keys.json'), { force: true });
      for (const public_key of keys) await trustKey(dir, { public_key, name: 'who' });
      return ask('cat_pushed').catch((error: unknown) => error);
    };
    const untrusted = (reason: string, public_key: string) => ({
      code: 'STAGE_UNTRUSTED',
      details: { reason, public_key },
      hint: expect.stringContaining(`stage trust ${public_key}`) as string,
    });
    expect(await trusted()).toMatchObject(untrusted('author', of_author));
    expect(await trusted(of_registry)).toMatchObject(untrusted('author', of_author));
    expect(await trusted(of_author)).toMatchObject(untrusted('sealer', of_registry));
    expect(Reflect.has(globalThis, 'cat_pushed')).toBe(false);
    expect(await trusted(of_author, of_registry)).toMatchObject({ ok: true, output: 'A' });
    expect(Reflect.deleteProperty(globalThis, 'cat_pushed')).toBe(true);
    // What is loaded already is no longer run either.
    expect(await trusted(of_registry)).toMatchObject(untrusted('author', of_author));
  });

  it('whose successors lead in a circle, or to one that nobody trusts, ends the search', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) =>
      archived({ name: `cat_circle_${name}`, text: `'${name}'` }),
    );
    const led = (record: StageRecord, to: string): StageRecord => ({
      ...record,
      lifecycle: { Deprecated: { successor_id: to } },
    });
    const other = join(dir, 'other', 'store.json');
    const { record: stranger } = await openStageStore({ file: other }).put(shout('cat_circle_stranger'));
    const store = openStageStore({ file });
    await store.put(led(a!, b!.id));
    await store.put(led(b!, a!.id));
    await store.put(led(c!, stranger.id));
    const { stages } = JSON.parse(readFileSync(file, 'utf8')) as { readonly stages: readonly object[] };
    writeFileSync(file, JSON.stringify({ stages: [...stages, stranger] }));

    expect(await ask('cat_circle_a')).toMatchObject({ ok: true, output: 'b' });
    await expect(ask('cat_circle_c')).rejects.toMatchObject({
      code: 'STAGE_UNTRUSTED',
      details: { stage: 'cat_circle_stranger' },
    });
  });

  it('is taken from the first of several places that has it; later ones are read for what is missing alone', async () => {
    const later = join(dir, 'later', 'store.json');
    await openStageStore({ file }).put(shout('cat_here'));
    await openStageStore({ file: later }).put(archived({ name: 'cat_here', text: "'there'" }));
    await openStageStore({ file: later }).put(archived({ name: 'cat_there', text: "'there'" }));
    let read = 0;
    const library = {
      unsigned_hint: 'none',
      read: () => {
        read += 1;
        return readVerifiedStages({ file: later });
      },
    };

    const here = await openCatalog(graphOf('cat_here'), [file, library], program());
    expect([here.resolve('cat_here').record.archive?.['own/stage.ts'], read]).toEqual([
      expect.stringContaining('toUpperCase'),
      0,
    ]);
    const there = await openCatalog(graphOf('cat_there'), [file, library], program());
    expect([there.resolve('cat_there').record.name, read]).toEqual(['cat_there', 1]);
    const missing = join(dir, 'no-store.json');
    await expect(openCatalog(graphOf('cat_here'), [missing, library], program())).resolves.toBeDefined();
  });

  it('whom nobody trusts in one place is taken from the next, and told when that has none', async () => {
    const later = join(dir, 'later', 'store.json');
    await openStageStore({ file }).put(shout('cat_owned'));
    rmSync(join(dir, 'author-key.hex'));
    const { record } = await openStageStore({ file: later }).put(
      archived({ name: 'cat_owned', text: "'there'" }),
    );

    const found = await openCatalog(graphOf('cat_owned'), [file, later], program());
    expect(found.resolve('cat_owned').record.id).toBe(record.id);
    for (const places of [[file], [file, join(dir, 'no-store.json')], [file, await emptyStore('empty')]])
      await expect(openCatalog(graphOf('cat_owned'), places, program())).rejects.toMatchObject({
        code: 'STAGE_UNTRUSTED',
      });
  });

  async function emptyStore(folder: string): Promise<string> {
    const empty = join(dir, folder, 'store.json');
    await openStageStore({ file: empty }).put(shout('cat_else'));
    return empty;
  }

  it('is refused, by any key, when what it carries is another stage', async () => {
    const record = shout('cat_named');
    const claimed = archived({ name: 'cat_claimed', effects: ['NonDeterministic'] });
    const { archive = {} } = claimed;
    const store = openStageStore({ file });
    await store.put({
      ...record,
      archive,
      id: stageId(factsOf(record), implementationHash(archive)),
      signature: { ...record.signature, implementation_hash: implementationHash(archive) },
    });

    await expect(ask('cat_named')).rejects.toMatchObject({
      code: 'STAGE_CODE_REFUSED',
      message: expect.stringContaining('there is cat_claimed') as string,
    });
  });
});

function factsOf({ name, signature }: StageRecord): SignatureFacts {
  return { name, ...signature, effects: signature.effects.effects } as SignatureFacts;
}
