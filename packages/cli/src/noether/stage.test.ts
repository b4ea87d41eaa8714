import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { originalStages, sealRecord, signingKey, signRecord } from '@caloron/noether/records';
import { authorKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { noetherProgram } from '../noether.ts';
import { runProgram } from '../program.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

let dir: string;
let store: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-stage-'));
  store = join(dir, '.noether', 'store.json');
  mkdirSync(join(dir, 'specs'));
});
afterEach(() => {
  process.exitCode = 0;
  rmSync(dir, { recursive: true, force: true });
});

interface Ran {
  readonly code: unknown;
  readonly data: never;
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

/** Runs a command line against the test's own home and reads its JSON. */
async function noether(...words: readonly string[]): Promise<Ran> {
  const argv = [...words, '--home', dir, '--output', 'json'];
  let text = '';
  const io = { out: (more: string) => void (text += more), err: () => undefined };
  await runProgram(await noetherProgram(io, argv), argv, io);
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, ...(JSON.parse(text) as { data: never; error: never }) };
}

const facts = {
  name: 'shout',
  description: 'Says a text loud.',
  input: 'Text',
  output: { Record: [['said', 'Text']] },
  effects: ['Pure'],
  implementation: "def execute(value):\n    return {'said': value.upper()}\n",
  examples: [{ input: 'a', output: { said: 'A' } }],
  tags: ['loud'],
};

function spec(name: string, changes: object = {}): string {
  const path = join(dir, 'specs', `${name}.json`);
  writeFileSync(path, JSON.stringify({ ...facts, ...changes }));
  return path;
}

function edit(change: (text: string) => string): void {
  const text = readFileSync(store, 'utf8');
  const edited = change(text);
  expect(edited).not.toBe(text);
  writeFileSync(store, edited);
}

describe('stage add', () => {
  it('checks, signs and activates; a second time says that it is there', async () => {
    const first = await noether('stage', 'add', spec('a'));
    const second = await noether('stage', 'add', spec('a'));

    expect(first).toMatchObject({ code: 0, data: { name: 'shout', lifecycle: 'active', supersedes: [] } });
    expect(second).toMatchObject({ code: 0, data: { note: 'already exists', lifecycle: 'active' } });
    expect(await noether('stage', 'verify', 'shout')).toMatchObject({ code: 0 });
  });

  it('of another implementation takes the place of the first; a draft does not until it is activated', async () => {
    const first = await noether('stage', 'add', spec('a'));
    const other = spec('b', { implementation: 'def execute(v):\n    return {"said": v}\n' });

    const draft = await noether('stage', 'add', other, '--draft');
    expect(draft.data).toMatchObject({ lifecycle: 'draft', supersedes: [] });
    const { id } = draft.data as { id: string };
    const active = await noether('stage', 'activate', id.slice(0, 12));

    expect(active.data).toMatchObject({
      lifecycle: 'Active',
      supersedes: [(first.data as { id: string }).id],
    });
    const all = (await noether('stage', 'list', '--name', 'shout', '--lifecycle', 'all')).data;
    expect((all as { lifecycle: unknown }[]).map(({ lifecycle }) => lifecycle)).toEqual([
      { Deprecated: { successor_id: id } },
      'Active',
    ]);
    expect(await noether('stage', 'activate', id)).toMatchObject({
      code: 1,
      error: { code: 'STAGE_TRANSITION_INVALID' },
    });
  });

  it('refuses a double, and warns of one with other types', async () => {
    await noether('stage', 'add', spec('a'));

    expect(await noether('stage', 'add', spec('b', { name: 'yell' }))).toMatchObject({
      code: 1,
      error: { code: 'STAGE_DUPLICATE' },
    });
    const other = await noether('stage', 'add', spec('c', { name: 'yell', output: 'Any' }));
    expect(other).toMatchObject({ code: 0, data: { warnings: [expect.stringContaining('shout')] } });
  });

  it.each([
    [{ effects: ['Netwrok'] }, 'did you mean Network?'],
    [{ examples: [{ input: 3, output: { said: '' } }] }, 'examples[0].input'],
    [{ capabilities: ['kv.raed'] }, 'did you mean kv.read?'],
  ])('refuses %j with what was meant', async (changes, said) => {
    const { code, error } = await noether('stage', 'add', spec('a', changes));

    expect(code).toBe(1);
    expect(error).toMatchObject({
      code: 'STAGE_SPEC_INVALID',
      message: expect.stringContaining(said) as string,
    });
  });

  it('takes a whole stage of a trusted key, and no other', async () => {
    await noether('stage', 'add', spec('a'));
    const [record] = (JSON.parse(readFileSync(store, 'utf8')) as { stages: never[] }).stages as [never];
    const ada = signingKey('05'.repeat(32));
    const theirs = signRecord(
      { ...(record as object), ed25519_signature: null, signer_public_key: null } as never,
      ada,
    );
    const path = join(dir, 'theirs.json');
    const elsewhere = ['--store', join(dir, 'other', 'store.json')];
    const put = (changes: object): void => writeFileSync(path, JSON.stringify({ ...theirs, ...changes }));

    put({});
    expect(await noether('stage', 'add', path, ...elsewhere)).toMatchObject({
      code: 2,
      error: { code: 'STAGE_UNTRUSTED', hint: expect.stringContaining(ada.public_key) as string },
    });
    put({ ed25519_signature: '00'.repeat(64) });
    expect(await noether('stage', 'add', path, ...elsewhere)).toMatchObject({
      code: 2,
      error: { code: 'STAGE_SIGNATURE_INVALID' },
    });
    put({ signer_public_key: null });
    expect(await noether('stage', 'add', path, ...elsewhere)).toMatchObject({
      code: 2,
      error: { code: 'STAGE_SIGNATURE_INVALID' },
    });
    put({ implementation_code: 'def execute(v):\n    return 1\n' });
    expect(await noether('stage', 'add', path, ...elsewhere)).toMatchObject({
      code: 2,
      error: { code: 'STAGE_TAMPERED' },
    });

    put({});
    await noether('stage', 'trust', ada.public_key, '--name', 'ada', ...elsewhere);
    expect(await noether('stage', 'add', path, ...elsewhere)).toMatchObject({ code: 0 });
    expect((await noether('stage', 'keys', ...elsewhere)).data).toMatchObject({ trusted: [{ name: 'ada' }] });
    expect(await noether('stage', 'verify', 'shout', ...elsewhere)).toMatchObject({ code: 0 });
    await noether('stage', 'trust', ada.public_key, '--remove', ...elsewhere);
    expect(await noether('stage', 'verify', 'shout', ...elsewhere)).toMatchObject({ code: 1 });
  });
});

it('stage add warns of a name the program has, as graphs mean the program by it', async () => {
  const { data } = await noether('stage', 'add', spec('a', { name: 'kv_get' }));

  expect(data).toMatchObject({ warnings: [expect.stringContaining("the program's stage") as string] });
  expect(await noether('stage', 'sync', spec('a'))).toMatchObject({ code: 1, error: { code: 'CLI_USAGE' } });
});

describe('stage sync', () => {
  it("writes the program's stages and a folder's, tells what failed, and changes nothing twice", async () => {
    spec('a');
    spec('b', { effects: ['Nope'] });

    const first = await noether('stage', 'sync', join(dir, 'specs'));
    const text = readFileSync(store, 'utf8');
    const second = await noether('stage', 'sync', join(dir, 'specs'));

    expect(first).toMatchObject({
      code: 1,
      data: {
        counts: { failed: 1 },
        failed: [{ file: join(dir, 'specs', 'b.json'), code: 'STAGE_SPEC_INVALID' }],
      },
    });
    expect(second.data).toMatchObject({ counts: { imported: 0, updated: 0, failed: 1 } });
    expect(readFileSync(store, 'utf8')).toBe(text);
    expect(await noether('stage', 'verify')).toMatchObject({ code: 0 });
    const health = await noether('store', 'health');
    expect(health).toMatchObject({ code: 0, data: { healthy: true } });
    expect(
      (health.data as { findings: { stage: string }[] }).findings.map(({ stage }) => stage.split(' ')[0]),
    ).toEqual(['shout']);
    expect((await noether('store', 'stats')).data).toMatchObject({
      lifecycles: { Active: expect.any(Number) as number },
    });
  });

  it('of what is not there, or no JSON, is told before anything is written', async () => {
    const none = await noether('stage', 'sync', join(dir, 'none'));
    expect(none).toMatchObject({
      code: 1,
      error: {
        code: 'CLI_FILE_UNREADABLE',
        message: `cannot read ${join(dir, 'none')}: there is no such file`,
      },
    });
    writeFileSync(join(dir, 'old.json'), '{"stages":\n ]');
    expect((await noether('stage', 'sync', join(dir, 'old.json'))).error.message).toContain(
      'old.json is no JSON: line 2, column 2: expected a value',
    );
    expect(existsSync(store)).toBe(false);

    expect((await noether('stage', 'add', join(dir, 'specs'))).error).toMatchObject({
      message: expect.stringContaining('it is a directory') as string,
      hint: expect.stringContaining('stage sync') as string,
    });
  });

  it('is what a store without the program’s stages is advised, in one finding', async () => {
    await noether('stage', 'add', spec('a'));
    const health = await noether('store', 'health');
    expect(health).toMatchObject({
      code: 1,
      data: {
        healthy: false,
        findings: [
          { level: 'note', message: expect.stringContaining('no graph can run it') as string },
          {
            level: 'error',
            stage: null,
            message: expect.stringMatching(
              /^not in the store: \d+ stages of the program \(.+, …\).*stage sync/,
            ) as string,
          },
        ],
      },
    });
  });

  it('takes over a store of the original, each stage verified', async () => {
    await noether('stage', 'add', spec('a'), '--store', join(dir, 'old', 'store.json'));
    const old = JSON.parse(readFileSync(join(dir, 'old', 'store.json'), 'utf8')) as { stages: object[] };
    const plain = old.stages.map((stage) =>
      Object.fromEntries(Object.entries(stage).filter(([field]) => !field.startsWith('record_'))),
    );
    const id = originalStages.find(({ name }) => name === 'kv_get')?.id;
    writeFileSync(join(dir, 'plain.json'), JSON.stringify({ stages: [...plain, { id: 'no' }, { id }] }));
    const { public_key } = await authorKey(join(dir, 'old'));
    await noether('stage', 'trust', public_key);

    const synced = await noether('stage', 'sync', join(dir, 'plain.json'));

    expect(synced).toMatchObject({
      code: 1,
      data: {
        imported: [{ name: 'shout' }],
        skipped: [{ name: 'kv_get' }],
        failed: [{ code: 'STAGE_SPEC_INVALID' }],
      },
    });
  });
});

describe('a store that was tampered with', () => {
  it('is refused with stage, field, what is stored and what it would be; verify lists it', async () => {
    await noether('stage', 'add', spec('a'));
    edit((text) => text.replace('Says a text loud.', 'Harmless.'));

    for (const words of [['list'], ['get', 'shout'], ['add', spec('b', { name: 'other' })]]) {
      const { code, error } = await noether('stage', ...words);
      expect(code).toBe(2);
      expect(error.code).toBe('STAGE_TAMPERED');
      expect(error.message).toMatch(
        /stage shout [0-9a-f]{16}: description is stored as [0-9a-f]{16}, recomputed [0-9a-f]{16}/,
      );
    }
    expect(await noether('stage', 'verify')).toMatchObject({
      code: 1,
      data: { results: [{ name: 'shout', ok: false, faults: [{ field: 'description' }] }] },
    });
  });

  it('and sealed anew by somebody is told from the program, field by field', async () => {
    await noether('stage', 'sync');
    const stranger = signingKey('09'.repeat(32));
    const file = JSON.parse(readFileSync(store, 'utf8')) as { stages: { name: string }[] };
    const stages = file.stages.map((stage) =>
      stage.name === 'to_text'
        ? sealRecord({ ...stage, description: 'Harmless.' } as never, stranger)
        : stage,
    );
    writeFileSync(store, JSON.stringify({ stages }));

    expect(await noether('stage', 'verify', 'to_text')).toMatchObject({
      code: 1,
      data: {
        results: [
          {
            distrust: { reason: 'sealer', public_key: stranger.public_key },
            differs: [{ field: 'description' }],
          },
        ],
      },
    });
  });
});

describe('stages are', () => {
  it('found by name, id, its beginning and signature; filtered and searched', async () => {
    const { id, signature_id } = (await noether('stage', 'add', spec('a'))).data as {
      id: string;
      signature_id: string;
    };

    for (const reference of ['shout', id, id.slice(0, 9), signature_id])
      expect((await noether('stage', 'get', reference)).data).toMatchObject({
        id,
        runs_here: false,
        types: { input: 'Text' },
      });
    expect((await noether('stage', 'get', 'kv_gte')).error).toMatchObject({
      code: 'STAGE_UNKNOWN',
      message: expect.stringContaining('kv_get') as string,
    });
    expect((await noether('stage', 'list', '--tag', 'loud')).data).toMatchObject([{ name: 'shout' }]);
    expect((await noether('stage', 'list', '--lifecycle', 'draft')).data).toEqual([]);
    const [first] = (await noether('stage', 'search', 'loud', 'text')).data as { name: string }[];
    expect(first?.name).toBe('shout');
  });

  if (SLOW)
    it('retired in favour of another, or for good', async () => {
      await noether('stage', 'sync');
      await noether('stage', 'add', spec('a'));

      expect(await noether('stage', 'deprecate', 'shout', '--successor', 'nobody')).toMatchObject({
        code: 1,
        error: { code: 'STAGE_UNKNOWN' },
      });
      expect((await noether('stage', 'deprecate', 'shout', '--successor', 'to_text')).code).toBe(0);
      expect(await noether('stage', 'tombstone', 'shout')).toMatchObject({
        code: 1,
        error: { code: 'STAGE_TRANSITION_INVALID' },
      });
    });

  if (SLOW)
    it('found by graphs as long as the program has their code, which is said', async () => {
      await noether('stage', 'sync');

      expect((await noether('stage', 'tombstone', 'to_text')).data).toMatchObject({
        lifecycle: 'Tombstone',
        warnings: [expect.stringContaining('its code is in this program') as string],
      });
      await noether('stage', 'sync');
      expect((await noether('stage', 'list', '--name', 'to_text')).data).toEqual([]);
    });

  it('tested by their examples where their code is here', async () => {
    await noether('stage', 'add', spec('a'));

    const all = await noether('stage', 'test');

    expect(all).toMatchObject({ code: 0, data: { counts: { failed: 0 } } });
    const results = (all.data as { results: { name: string; status: string; reason: string }[] }).results;
    expect(results.find(({ name }) => name === 'shout')).toMatchObject({
      status: 'skipped',
      reason: 'its code is not here',
    });
    expect(results.filter(({ status }) => status === 'ok').length).toBeGreaterThan(50);
    expect(await noether('stage', 'test', 'shout')).toMatchObject({
      code: 1,
      error: { code: 'STAGE_NO_CODE' },
    });
    expect((await noether('stage', 'test', 'map')).data).toMatchObject({ counts: { ok: 1 } });
  });
});

describe('migrate', () => {
  it('shows what it would change and changes it when told', async () => {
    const path = join(dir, 'graph.json');
    const text =
      '{ "description": "", "version": "0",\n  "root": { "op": "Stage", "id": "REGISTER:kv_get" } }\n';
    writeFileSync(path, text);

    const shown = await noether('migrate', path);
    expect(shown).toMatchObject({
      code: 0,
      data: { written: false, renamed: [{ path: 'root.id', to: 'kv_get' }] },
    });
    expect(readFileSync(path, 'utf8')).toBe(text);

    await noether('migrate', path, '--write');
    expect(readFileSync(path, 'utf8')).toBe(text.replace('REGISTER:kv_get', 'kv_get'));
    writeFileSync(path, text.replace('kv_get', 'unblocked_tasks'));
    expect(await noether('migrate', path)).toMatchObject({
      code: 1,
      data: { unknown: [{ advice: expect.stringContaining('dag_evaluate') as string }] },
    });
  });
});
