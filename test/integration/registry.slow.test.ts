import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { readStageSpec, sealRecord, signRecord } from '@caloron/noether/records';
import { readVerifiedStages, writeStageStore } from '@caloron/store';
import { authorKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { environment, must, run, serve, writeText } from '../support/bins.ts';

const READ = 'read-key-of-the-test-0001';
const WRITE = 'write-key-of-the-test-001';

let dir: string;
let undo: (() => unknown)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-registry-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
  for (const name of ['there', 'here']) mkdirSync(join(dir, name));
});
afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

const spec = (i: number): string =>
  JSON.stringify({
    name: `shout_${i}`,
    description: `Says a text ${i} times as loud, ${'very '.repeat(i)}loud.`,
    input: 'Text',
    output: { Record: [[`said_${i}`, 'Text']] },
    implementation: `def execute(value):\n    return {'said_${i}': value.upper()}\n`,
    examples: [{ input: 'a', output: { [`said_${i}`]: 'A' } }],
  });

it('a registry is seeded, served, pushed to by another home at once, read with its key, and ended by SIGTERM', async () => {
  const [there, here] = [{ cwd: join(dir, 'there') }, { cwd: join(dir, 'here') }];
  const store = join(there.cwd, '.noether', 'store.json');
  await must('noether', ['stage', 'sync', '--home', there.cwd], there);
  for (const i of [0, 1]) {
    writeText(join(here.cwd, `shout_${i}.json`), spec(i));
    await must('noether', ['stage', 'add', `shout_${i}.json`, '--home', here.cwd], here);
  }
  const { public_key } = await authorKey(join(here.cwd, '.noether'));
  const served = environment({ NOETHER_REGISTRY_READ_KEY: READ, NOETHER_REGISTRY_WRITE_KEY: WRITE });
  const args = ['registry', 'serve', '--home', there.cwd, '--port', '0'];
  const registry = await serve('noether', args, { ...there, env: served });
  undo.push(() => registry.stop());
  const before = (await readVerifiedStages({ file: store })).records.length;
  const push = (...names: readonly string[]): ReturnType<typeof run> =>
    run('noether', ['stage', 'push', ...names, '--home', here.cwd, '--registry', registry.url], {
      ...here,
      env: environment({ NOETHER_REGISTRY_API_KEY: WRITE }),
    });

  const refused = await push('shout_0');
  await must('noether', ['stage', 'trust', public_key, '--name', 'here', '--home', there.cwd], there);
  const pushed = await Promise.all([push('shout_0'), push('--all')]);
  const taken = await run('noether', [...args, '--port', new URL(registry.url).port], {
    ...there,
    env: served,
  });
  const unread = await fetch(`${registry.url}/stages`);
  const read = await fetch(`${registry.url}/stages?limit=200`, { headers: { 'x-api-key': READ } });

  expect(refused).toMatchObject({
    code: 2,
    stdout: expect.stringContaining('is not trusted by this registry') as string,
  });
  expect(pushed.map(({ code }) => code)).toEqual([0, 0]);
  expect(taken).toMatchObject({ code: 1, stderr: expect.stringContaining('REGISTRY_PORT_IN_USE') as string });
  expect(unread.status).toBe(401);
  expect(await read.json()).toMatchObject({ ok: true, data: { total: before + 2 } });
  const { records, distrust } = await readVerifiedStages({ file: store });
  expect(records).toHaveLength(before + 2);
  expect(distrust.size).toBe(0);
  expect(registry.log()).toContain('"route":"/stages"');
  expect(registry.log()).not.toMatch(new RegExp(`${READ}|${WRITE}`));
  expect(await registry.stop()).toBe(0);
});

it('a stage that was answered 201 is in the store though the registry is killed at once, and the store is whole', async () => {
  const there = { cwd: join(dir, 'there') };
  const file = join(there.cwd, '.noether', 'store.json');
  await writeStageStore(file, []);
  const key = await authorKey(join(there.cwd, '.noether'));
  const registry = await serve('noether', ['registry', 'serve', '--home', there.cwd, '--port', '0'], {
    ...there,
    env: environment({ NOETHER_REGISTRY_WRITE_KEY: WRITE }),
  });
  undo.push(() => registry.stop());
  const taken: string[] = [];
  const push = async (i: number): Promise<void> => {
    const { record } = readStageSpec(JSON.parse(spec(i)), 'spec');
    const response = await fetch(`${registry.url}/stages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': WRITE },
      body: JSON.stringify(sealRecord(signRecord(record, key), key)),
    });
    expect(response.status).toBe(201);
    taken.push(record.id);
    if (taken.length === 3) process.kill(registry.pid, 'SIGKILL');
  };

  // Each pushes on until the registry is gone.
  const worker = async (first: number): Promise<void> => {
    for (let i = first; ; i += 8) await push(i);
  };

  const ends = await Promise.allSettled(Array.from({ length: 8 }, (_, i) => worker(i)));

  const { records, distrust } = await readVerifiedStages({ file });
  const held = new Set(records.map(({ id }) => id));
  expect(taken.length).toBeGreaterThanOrEqual(3);
  expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 'rejected'));
  expect(taken.filter((id) => !held.has(id))).toEqual([]);
  expect(distrust.size).toBe(0);
});
