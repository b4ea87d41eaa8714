import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openStageStore } from '@caloron/store';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { archived } from '../testing/archived-stage.ts';
import { type FakeRegistry, startFakeRegistry } from '../testing/fake-registry.ts';
import { READ_LIMITS } from './client.ts';
import { type RegistryWatch, watchRegistry } from './watch.ts';

const KEY = 'k-of-this-registry-alone';

let dir: string;
let registry: FakeRegistry;
let watch: RegistryWatch | undefined;
const logger = {
  info: vi.fn<(facts: object, text: string) => void>(),
  warn: vi.fn<(facts: object, text: string) => void>(),
};
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-watch-'));
  registry = await startFakeRegistry();
  const store = openStageStore({ file: join(dir, 'author', 'store.json') });
  await store.put(archived({ name: 'watch_one' }));
  registry.stages = (await store.read()).records;
  logger.info.mockClear();
  logger.warn.mockClear();
});
afterEach(async () => {
  await watch?.close();
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

function start(): RegistryWatch {
  watch = watchRegistry({
    address: { url: registry.url, api_key: KEY },
    noether_dir: join(dir, 'reader'),
    clock: { now: () => '2026-04-14T08:30:00.000Z' as never },
    logger: logger as never,
    interval_ms: 20,
    limits: { ...READ_LIMITS, pauses_ms: [] },
  });
  return watch;
}

it('a watched registry is asked again and again, an outage told once, and its end too', async () => {
  const watched = start();
  await expect.poll(async () => (await watched.state()).status).toBe('current');

  registry.instead = (_request, response) => {
    response.writeHead(500).end();
    return true;
  };
  await expect.poll(async () => (await watched.state()).status).toBe('stale');
  const asked = registry.asked.length;
  await expect.poll(() => registry.asked.length).toBeGreaterThan(asked + 3);
  expect((await watched.read()).records).toHaveLength(1);
  expect(logger.warn).toHaveBeenCalledTimes(1);
  expect(logger.warn).toHaveBeenCalledWith(
    expect.objectContaining({
      url: registry.url,
      since: '2026-04-14T08:30:00.000Z',
      code: 'REGISTRY_UNREACHABLE',
    }),
    expect.stringContaining('last good catalogue stays in use'),
  );

  registry.instead = null;
  await expect.poll(() => logger.info.mock.calls.length).toBe(2);
  expect(JSON.stringify([logger.info.mock.calls, logger.warn.mock.calls])).not.toContain(KEY);
});

it('a watched registry is asked one question at a time, and nothing after its end', async () => {
  registry.instead = () => true;
  const watched = start();
  await expect.poll(() => registry.asked.length).toBe(1);

  await watched.close();

  const asked = registry.asked.length;
  expect(asked).toBe(1);
  expect(logger.warn).not.toHaveBeenCalled();
});

it('a watch goes over to another registry', async () => {
  const other = await startFakeRegistry();
  try {
    const watched = start();
    await expect.poll(async () => (await watched.state()).status).toBe('current');

    watched.use({ url: other.url, api_key: null });

    await expect.poll(async () => (await watched.state()).url).toBe(other.url);
    await expect.poll(async () => (await watched.read()).records).toEqual([]);
    expect(other.asked[0]?.headers['x-api-key']).toBeUndefined();
    expect(watched.secrets()).toEqual([]);
  } finally {
    await other.close();
  }
});
