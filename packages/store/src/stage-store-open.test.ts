import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { StageRecord } from '@caloron/noether';
import { readStageSpec, signingKey } from '@caloron/noether/records';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { authorKey, distrustKey, listTrusted, trustedKeys, trustKey } from './stage-store-keys.ts';
import { adviceOf } from './stage-store-lock.ts';
import { openStageStore, readVerifiedStages } from './stage-store-open.ts';
import { readStageStore, writeStageStore } from './stage-store.ts';
import { type Child, endChildren, startChild } from './testing/children.ts';
import { tempDir } from './testing/fixtures.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

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

function stage(name: string, changes: object = {}): StageRecord {
  const spec = {
    name,
    input: 'Text',
    output: 'Text',
    implementation: `def execute(value):\n    return value  # ${name}\n`,
    examples: [{ input: 'a', output: 'a' }],
    ...changes,
  };
  return { ...readStageSpec(spec, name).record, lifecycle: 'Active' };
}

describe('a stage store', () => {
  it('signs and seals what is put there, and gives it back verified', async () => {
    const store = openStageStore({ file });
    const { record } = await store.put(stage('a'));
    const key = await authorKey(join(dir, '.noether'));

    const { records, distrust } = await store.read();

    expect(records).toEqual([record]);
    expect(record).toMatchObject({ signer_public_key: key.public_key, record_signer: key.public_key });
    expect(distrust.size).toBe(0);
    await expect(store.put(stage('a'))).rejects.toMatchObject({ code: 'STAGE_EXISTS' });
  });

  it.each([
    ['description', (text: string) => text.replace('"description": "a"', '"description": "b"')],
    ['examples', (text: string) => text.replace('"input": "a"', '"input": "b"')],
    ['implementation_hash', (text: string) => text.replace('return value', 'return 1')],
    ['capabilities', (text: string) => text.replace('"capabilities": []', '"capabilities": ["Network"]')],
    ['lifecycle', (text: string) => text.replace('"Active"', '"Tombstone"')],
    ['signature_id', (text: string) => text.replace('"kind": "Text"', '"kind": "Any"')],
  ])('whose %s was edited is refused with the stage and that field, and not changed', async (field, edit) => {
    const store = openStageStore({ file });
    const { record } = await store.put(stage('a'));
    const text = readFileSync(file, 'utf8');
    const edited = edit(text);
    expect(edited).not.toBe(text);
    writeFileSync(file, edited);

    const error: unknown = await store.read().then(null, (thrown: unknown) => thrown);

    expect(error).toMatchObject({ code: 'STAGE_TAMPERED', details: { store: file } });
    const { faults } = (
      error as {
        details: { faults: readonly { field: string; id: string; stored: unknown; recomputed: unknown }[] };
      }
    ).details;
    const fault = faults.find((one) => one.field === field);
    expect(fault).toMatchObject({ stage: 'a', id: record.id });
    expect(fault?.stored).not.toEqual(fault?.recomputed);
    expect((error as Error).message).toContain(faults[0]?.field);
    await expect(store.put(stage('b'))).rejects.toMatchObject({ code: 'STAGE_TAMPERED' });
    expect(readFileSync(file, 'utf8')).toBe(edited);
  });

  it('without its signatures, or with those of a stranger, holds nothing to rely on', async () => {
    const theirs = join(dir, 'theirs', 'store.json');
    const { record } = await openStageStore({ file: theirs }).put(stage('a'));
    const { ed25519_signature: _a, signer_public_key: _b, ...rest } = stage('b');
    await writeStageStore(file, [record, { ...rest, ed25519_signature: null, signer_public_key: null }]);

    const before = await readVerifiedStages({ file });
    await trustKey(join(dir, '.noether'), { public_key: record.signer_public_key!, name: 'them' });
    const after = await readVerifiedStages({ file });

    expect([...before.distrust.values()].map(({ reason }) => reason)).toEqual(['author', 'unsigned']);
    expect([...after.distrust.values()].map(({ reason }) => reason)).toEqual(['unsigned']);
  });

  it.each([
    ['activate', 'Draft'],
    ['bury', 'Active'],
    ['put', 'Active'],
    ['seed', 'Active'],
  ] as const)('does not vouch by %s for a record whose seal is gone', async (change, lifecycle) => {
    const store = openStageStore({ file });
    const { record } = await store.put({ ...stage('a'), lifecycle });
    const seal = ['record_fields', 'record_hash', 'record_signature', 'record_signer'];
    const bare = Object.fromEntries(Object.entries(record).filter(([field]) => !seal.includes(field)));
    await writeStageStore(file, [{ ...bare, description: 'not the author’s' } as unknown as StageRecord]);
    const successor = { implementation: 'def execute(v):\n    return v\n' };

    if (change === 'activate' || change === 'bury') await store[change]('a');
    else if (change === 'put') await store.put(stage('a', successor));
    else await store.seed([stage('a', successor)]);
    const { records, distrust } = await store.read();

    expect(records.find(({ id }) => id === record.id)?.lifecycle).not.toEqual(lifecycle);
    expect([...distrust]).toEqual([[record.id, { reason: 'unsealed', public_key: null }]]);
  });

  it('with a stage twice is refused: one of them could be what was buried', async () => {
    const store = openStageStore({ file });
    await store.put(stage('a'));
    const [before] = await readStageStore(file);
    await store.bury('a');
    const [now] = await readStageStore(file);
    writeFileSync(file, JSON.stringify({ stages: [now, before] }));

    const refused = { code: 'STORE_STAGES_INVALID' };
    await expect(store.read()).rejects.toMatchObject(refused);
    await expect(store.put(stage('b'))).rejects.toMatchObject(refused);
    await expect(store.read()).rejects.toThrow(/stages\.1\.id is that of stages\.0, too/);
  });

  it('keeps one Active stage of a signature, under seals that hold', async () => {
    const store = openStageStore({ file });
    const old = await store.put(stage('a'));
    const draft: StageRecord = {
      ...stage('a', { implementation: 'def execute(v):\n    return v\n' }),
      lifecycle: 'Draft',
    };
    const next = await store.put(draft);
    expect(next.supersedes).toEqual([]);

    const active = await store.activate(next.record.id.slice(0, 12));

    expect(active.supersedes).toEqual([old.record.id]);
    expect((await store.read()).records.map(({ lifecycle }) => lifecycle)).toEqual([
      { Deprecated: { successor_id: next.record.id } },
      'Active',
    ]);
    await expect(store.activate('a')).rejects.toMatchObject({ code: 'STAGE_TRANSITION_INVALID' });
    await store.bury('a');
    await expect(store.deprecate('a', old.record.id)).rejects.toMatchObject({
      code: 'STAGE_TRANSITION_INVALID',
    });
  });

  it('takes a program’s stages as they are now, earlier versions giving way, and writes nothing twice', async () => {
    const store = openStageStore({ file });
    const [one, two] = [stage('a'), stage('a', { implementation: 'def execute(v):\n    return v\n' })];
    await store.put(stage('mine'));
    expect(await store.seed([one])).toMatchObject({ imported: [one.id], updated: [], superseded: [] });
    const { mtimeMs } = statSync(file);

    expect(await store.seed([one])).toMatchObject({ imported: [], updated: [], superseded: [] });
    expect(statSync(file).mtimeMs).toBe(mtimeMs);
    expect(await store.seed([{ ...one, description: 'x' }])).toMatchObject({ updated: [one.id] });
    expect(await store.seed([two])).toMatchObject({ imported: [two.id], superseded: [one.id] });
    expect(await store.seed([one])).toMatchObject({ updated: [one.id], superseded: [two.id] });
    await store.bury(one.id);
    expect(await store.seed([one])).toMatchObject({ updated: [] });

    expect((await store.read()).records.map(({ name, lifecycle }) => [name, lifecycle])).toEqual([
      ['mine', 'Active'],
      ['a', 'Tombstone'],
      ['a', { Deprecated: { successor_id: one.id } }],
    ]);
  });
});

describe('keys', () => {
  it('are made once, for the owner alone', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => authorKey(dir)));

    expect(new Set(keys.map(({ public_key }) => public_key)).size).toBe(1);
    expect(statSync(join(dir, 'author-key.hex')).mode & 0o777).toBe(0o600);
    expect(signingKey(readFileSync(join(dir, 'author-key.hex'), 'utf8').trim()).public_key).toBe(
      keys[0]?.public_key,
    );
    expect(readdirSync(dir)).toEqual(['author-key.hex']);
  });

  it('that others can read, or that are none, are not used and not shown', async () => {
    const path = join(dir, 'author-key.hex');
    writeFileSync(path, 'secret-text', { mode: 0o600 });
    const error: unknown = await authorKey(dir).then(null, (thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'STORE_AUTHOR_KEY_FAILED',
      hint: expect.stringContaining('./noether stage sync') as string,
    });
    expect(JSON.stringify(error) + String(error)).not.toContain('secret-text');

    writeFileSync(path, '01'.repeat(32));
    chmodSync(path, 0o644);
    await expect(authorKey(dir)).rejects.toMatchObject({
      code: 'STORE_AUTHOR_KEY_FAILED',
      hint: `chmod 600 ${path}`,
    });
  });

  it('that a disk or a folder does not take are told at once, with what helps', async () => {
    const place = join(dir, 'no-folder');
    writeFileSync(place, '');
    const failures = await Promise.all(
      [
        authorKey(place),
        trustKey(place, { public_key: signingKey('02'.repeat(32)).public_key, name: '' }),
      ].map((work) => work.then(null, (error: unknown) => error)),
    );
    expect(failures).toMatchObject([{ code: 'STORE_AUTHOR_KEY_FAILED' }, { code: 'STORE_STAGES_FAILED' }]);
    expect(adviceOf(Object.assign(new Error(), { code: 'ENOSPC' }))).toMatchObject({
      retryable: true,
      hint: expect.stringContaining('free some space') as string,
    });
    expect(adviceOf(Object.assign(new Error(), { code: 'EROFS' })).hint).toContain('--home');
  });

  it('are trusted by name, and no more when taken off the list', async () => {
    const { public_key } = signingKey('02'.repeat(32));
    await trustKey(dir, { public_key: public_key.toUpperCase(), name: 'ada' });
    await trustKey(dir, { public_key, name: 'ada l.' });

    expect(await listTrusted(dir)).toEqual([{ public_key, name: 'ada l.' }]);
    expect(await trustedKeys(dir)).toEqual(new Set([public_key]));
    expect(await distrustKey(dir, public_key)).toEqual([]);
    await expect(trustKey(dir, { public_key: 'abc', name: '' })).rejects.toMatchObject({
      code: 'STAGE_KEY_INVALID',
    });
    for (const mode of [0o666, 0o664]) {
      chmodSync(join(dir, 'trusted-keys.json'), mode);
      await expect(trustedKeys(dir)).rejects.toMatchObject({ code: 'STORE_TRUST_INVALID' });
    }
    chmodSync(join(dir, 'trusted-keys.json'), 0o644);
    writeFileSync(join(dir, 'trusted-keys.json'), '{"keys":[{}]}');
    await expect(trustedKeys(dir)).rejects.toMatchObject({ code: 'STORE_TRUST_INVALID' });
  });
});

/** Resolves when a child printed so many lines. */
async function printed(child: Child, lines: number): Promise<void> {
  await expect.poll(() => child.lines.length, { timeout: 30_000, interval: 5 }).toBeGreaterThanOrEqual(lines);
}

describe('processes that add at once', () => {
  it('four of them lose no stage', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const children = names.map((name) => startChild('./stage-putter.ts', [file, name, '6']));

    expect(await Promise.all(children.map(({ ended }) => ended))).toEqual(names.map(() => 0));

    const { records, distrust } = await readVerifiedStages({ file });
    expect(records.map(({ name }) => name).toSorted()).toEqual(
      names.flatMap((name) => [0, 1, 2, 3, 4, 5].map((i) => `${name}_${i}`)),
    );
    expect(new Set(records.map(({ signer_public_key }) => signer_public_key)).size).toBe(1);
    expect(distrust.size).toBe(0);
  });

  if (SLOW)
    it('killed in between leave a whole file with all that was said to be there, and the others go on', async () => {
      const doomed = ['a', 'b'].map((name) => startChild('./stage-putter.ts', [file, name, '400']));
      const others = ['e', 'f'].map((name) => startChild('./stage-putter.ts', [file, name, '4']));
      await Promise.all(doomed.map((child) => printed(child, 1)));
      for (const { process: child } of doomed) {
        child.kill('SIGKILL');
        expect(() => JSON.parse(readFileSync(file, 'utf8')) as unknown).not.toThrow();
      }

      expect(await Promise.all(others.map(({ ended }) => ended))).toEqual([0, 0]);
      await Promise.all(doomed.map(({ ended }) => ended));

      const { records } = await readVerifiedStages({ file });
      const ids = new Set(records.map(({ id }) => id));
      expect([...doomed, ...others].flatMap(({ lines }) => lines.filter((id) => !ids.has(id)))).toEqual([]);
      expect(ids.size).toBe(records.length);
      await openStageStore({ file }).put(stage('last'));
      expect(readdirSync(join(dir, '.noether')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    });
});

describe('a disk that is full', () => {
  it('is told, and the store is as it was', async () => {
    const store = openStageStore({ file });
    await store.put(stage('a'));
    const before = readFileSync(file, 'utf8');
    const putter = fileURLToPath(new URL('./testing/stage-putter.ts', import.meta.url));

    // A limit on the size of files fails a write half-way, as a full disk does.
    const script = 'ulimit -f 2; exec "$0" "$@"';
    const answer = await new Promise<{ readonly code: unknown; readonly stderr: string }>((resolve) => {
      execFile('bash', ['-c', script, process.execPath, putter, file, 'b', '3'], (error, _out, stderr) =>
        resolve({ code: error === null ? 0 : error.code, stderr }),
      );
    });

    expect(answer.code).toBe(1);
    expect(answer.stderr).toContain('STORE_STAGES_FAILED');
    expect((await readStageStore(file)).map(({ name }) => name)).toContain('a');
    expect(readFileSync(file, 'utf8').startsWith(before.slice(0, 100))).toBe(true);
    expect(existsSync(`${file}.lock`)).toBe(false);
    await store.put(stage('c'));
    expect((await store.read()).records.map(({ name }) => name)).toContain('c');
  });
});
