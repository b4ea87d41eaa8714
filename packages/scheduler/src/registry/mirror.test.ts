import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import type { StageRecord } from '@caloron/noether';
import { openStageStore } from '@caloron/store';
import { trustKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { archived } from '../testing/archived-stage.ts';
import { type FakeRegistry, startFakeRegistry } from '../testing/fake-registry.ts';
import { READ_LIMITS } from './client.ts';
import { type Mirror, openMirror } from './mirror.ts';

const KEY = 'k-of-this-registry-alone';
const LIMITS = { ...READ_LIMITS, pauses_ms: [], page_ms: 2_000, total_ms: 4_000 };

let dir: string;
let registry: FakeRegistry;
let opened: Mirror[];
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-mirror-'));
  registry = await startFakeRegistry();
  opened = [];
});
afterEach(async () => {
  for (const mirror of opened) mirror.close();
  await Promise.all(opened.map((mirror) => mirror.refresh()));
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

let second = 0;
const clock = { now: () => `2026-04-14T08:30:${String((second += 1) % 60).padStart(2, '0')}.000Z` } as const;

function open(limits = {}, now: { readonly now: () => string } = clock): Mirror {
  const mirror = openMirror({
    address: { url: registry.url, api_key: KEY },
    noether_dir: join(dir, 'reader'),
    clock: now as never,
    limits: { ...LIMITS, ...limits },
    first_wait_ms: 3_000,
  });
  opened.push(mirror);
  return mirror;
}

/** Stages as somebody has them in a store, signed and sealed. */
async function signed(...stages: readonly StageRecord[]): Promise<readonly StageRecord[]> {
  const store = openStageStore({ file: join(dir, 'author', 'store.json') });
  for (const stage of stages) await store.put(stage);
  return (await store.read()).records;
}

const names = async (mirror: Mirror): Promise<readonly string[]> =>
  (await mirror.read()).records.map(({ name }) => name);

describe('the mirror of a registry', () => {
  it('is a stage store file below the Noether home, of this user alone, without the key', async () => {
    registry.stages = await signed(archived({ name: 'mirror_one' }));
    const mirror = open();

    expect(await names(mirror)).toEqual(['mirror_one']);
    expect(mirror.file).toMatch(/reader\/registry\/127\.0\.0\.1_\d+-[0-9a-f]{12}\/store\.json$/);
    expect(statSync(dirname(mirror.file)).mode & 0o077).toBe(0);
    expect(readFileSync(mirror.file, 'utf8')).not.toContain(KEY);
    expect(await openStageStore({ file: mirror.file }).read()).toMatchObject({
      records: [{ name: 'mirror_one' }],
    });
    expect(readdirSync(dirname(mirror.file)).toSorted()).toEqual(['confirmed', 'store.json']);
  });

  it('relies on stages of trusted keys alone', async () => {
    registry.stages = await signed(archived({ name: 'mirror_trust' }));
    const { id, signer_public_key } = (await open().read()).records[0]!;

    expect((await open().read()).distrust.get(id)?.reason).toBe('author');
    const mirror = open();
    await mirror.read();
    await trustKey(join(dir, 'reader'), { public_key: signer_public_key ?? '', name: 'author' });
    expect((await mirror.read()).distrust.size).toBe(0);
  });

  it('follows the registry, and asks without reading anew when nothing changed', async () => {
    registry.stages = await signed(archived({ name: 'mirror_a' }));
    const mirror = open();
    expect(await names(mirror)).toEqual(['mirror_a']);
    const before = statSync(mirror.file).ino;

    await mirror.refresh();
    expect(statSync(mirror.file).ino).toBe(before);
    expect(registry.asked.at(-1)?.headers['if-none-match']).toBeDefined();

    registry.stages = await signed(archived({ name: 'mirror_b' }));
    await mirror.refresh();
    expect((await names(mirror)).toSorted()).toEqual(['mirror_a', 'mirror_b']);
    expect(await mirror.state()).toMatchObject({ status: 'current', error: null });
  });

  it.each([
    ['is away', (fake: FakeRegistry) => fake.close()],
    ['answers rubbish', (fake: FakeRegistry) => answering(fake, '<html>')],
    ['wants another key', (fake: FakeRegistry) => answering(fake, '{}', 401)],
    ['has a stage that was changed', (fake: FakeRegistry) => tamper(fake, { description: 'Gives all.' })],
    [
      'has a stage whose lifecycle was changed',
      (fake: FakeRegistry) => tamper(fake, { lifecycle: 'Tombstone' }),
    ],
    [
      'has a stage with other code',
      (fake: FakeRegistry) => tamper(fake, { archive: { 'own/stage.ts': '' } }),
    ],
    ['has a stage with a trusted signature over another id', (fake: FakeRegistry) => swapSignatures(fake)],
    ['has a record in place of another', (fake: FakeRegistry) => tamper(fake, { id: '0'.repeat(64) })],
  ])(
    'keeps the last good catalogue, and says since when, while the registry %s',
    async (_what, breaks: (fake: FakeRegistry) => unknown) => {
      registry.stages = await signed(archived({ name: 'mirror_good' }), archived({ name: 'mirror_too' }));
      await open().read();
      const { confirmed_at } = await open().state();

      await Promise.resolve(breaks(registry));
      // A process that begins now, too.
      const mirror = open();
      await mirror.refresh();

      expect((await names(mirror)).toSorted()).toEqual(['mirror_good', 'mirror_too']);
      const state = await mirror.state();
      expect(state).toMatchObject({ status: 'stale', confirmed_at, url: registry.url });
      expect(state.error?.code).toMatch(/^REGISTRY_/);
      expect(JSON.stringify(state)).not.toContain(KEY);
      expect(readdirSync(dirname(mirror.file)).toSorted()).toEqual(['confirmed', 'store.json']);
    },
  );

  it('S32 that never was says what, where, and how to look', async () => {
    const { url } = registry;
    await registry.close();

    await expect(open().read()).rejects.toMatchObject({
      code: 'REGISTRY_NO_CATALOGUE',
      message: expect.stringMatching(
        new RegExp(`no catalogue of the registry ${url} was read yet: .*ECONNREFUSED`),
      ) as string,
      hint: expect.stringContaining(`curl ${url}/health`) as string,
      retryable: true,
    });
    expect(await open().state()).toMatchObject({ status: 'none', confirmed_at: null });
  });

  it('is fetched whole when its file was damaged, or changed by hand', async () => {
    registry.stages = await signed(archived({ name: 'mirror_damaged' }));
    const { file } = open();
    await open().read();

    for (const damage of ['', 'x', '{"stages":[]', changed(file)]) {
      writeFileSync(file, damage);
      expect(await names(open())).toEqual(['mirror_damaged']);

      writeFileSync(file, damage);
      // As commands do: a registry that says that nothing changed says nothing of the file here.
      const mirror = open();
      await mirror.refresh();
      expect(await mirror.state()).toMatchObject({ status: 'current', error: null });
      expect(await names(mirror)).toEqual(['mirror_damaged']);
    }
  });

  it('that was changed by hand and cannot be fetched anew is told as that', async () => {
    registry.stages = await signed(archived({ name: 'mirror_changed' }));
    const { file } = open();
    await open().read();
    writeFileSync(file, changed(file));
    await registry.close();

    const mirror = open();
    await mirror.refresh();

    await expect(mirror.read()).rejects.toMatchObject({
      code: 'REGISTRY_NO_CATALOGUE',
      message: expect.stringMatching(
        /its catalogue was changed: description of stage mirror_changed.*ECONNREFUSED/,
      ) as string,
    });
    expect(await mirror.state()).toMatchObject({ status: 'none' });
  });

  it('that cannot be written is told by its path, as nothing that lies with the registry', async () => {
    registry.stages = await signed(archived({ name: 'mirror_unwritten' }));
    const folder = join(dir, 'reader', 'registry');
    mkdirSync(join(dir, 'reader'));
    writeFileSync(folder, 'no folder');

    const failed = await open()
      .read()
      .catch((error: unknown) => error);

    expect(failed).toMatchObject({ code: 'REGISTRY_NO_CATALOGUE' });
    expect((failed as Error).message).toContain(folder);
    expect((failed as { hint?: string }).hint ?? '').not.toContain('/health');
  });

  it('waits no longer than told for a registry that hangs, and not at all with a catalogue', async () => {
    registry.stages = await signed(archived({ name: 'mirror_hangs' }));
    await open().read();
    registry.instead = () => true;
    const mirror = open({ page_ms: 60_000, total_ms: 60_000 });

    const asked = mirror.refresh();
    expect(await names(mirror)).toEqual(['mirror_hangs']);
    mirror.close();
    await asked;

    rmSync(dirname(mirror.file), { recursive: true });
    await expect(open({ page_ms: 100, total_ms: 200 }).read()).rejects.toMatchObject({
      code: 'REGISTRY_NO_CATALOGUE',
    });
  });

  it('follows the registry also after the clock of this machine was ahead', async () => {
    registry.stages = await signed(archived({ name: 'mirror_ahead' }));
    await open({}, { now: () => '2036-01-01T00:00:00.000Z' }).refresh();
    registry.stages = await signed(archived({ name: 'mirror_after' }));

    const mirror = open();
    await mirror.refresh();

    expect((await names(mirror)).toSorted()).toEqual(['mirror_after', 'mirror_ahead']);
  });

  it('is whole though many write it at once', async () => {
    registry.stages = await signed(
      ...Array.from({ length: 5 }, (_, i) => archived({ name: `mirror_many_${i}` })),
    );
    const mirrors = Array.from({ length: 6 }, () => open());

    await Promise.all(mirrors.map((mirror) => mirror.refresh()));

    for (const mirror of mirrors) expect(await names(mirror)).toHaveLength(5);
    expect(existsSync(join(dirname(mirrors[0]!.file), 'candidate.json'))).toBe(false);
  });
});

function answering(registry: FakeRegistry, body: string, status = 200): void {
  registry.instead = (_request, response) => {
    response.writeHead(status).end(body);
    return true;
  };
}

function swapSignatures(registry: FakeRegistry): void {
  const [first, ...rest] = registry.stages as readonly StageRecord[];
  const signature = rest[0]?.ed25519_signature ?? '';
  registry.stages = [{ ...first!, ed25519_signature: signature }, ...rest];
}

function tamper(registry: FakeRegistry, change: object): void {
  registry.stages = registry.stages.map((stage) => ({ ...stage, ...change }));
}

function changed(file: string): string {
  const text = readFileSync(file, 'utf8').replace('Gives a text.', 'Gives all texts.');
  expect(text).toContain('Gives all texts.');
  return text;
}
