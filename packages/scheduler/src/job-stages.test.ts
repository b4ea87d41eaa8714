import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { buildCatalog, parseGraph, type RunResult } from '@caloron/noether';
import { findHome, openStageStore } from '@caloron/store';
import { trustKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { checkConfig } from './check-config.ts';
import { readConfig, type SchedulerConfig } from './config.ts';
import { readEnvironment } from './environment.ts';
import { checkRegistry, type JobStages, type JobStagesDeps, openJobStages } from './job-stages.ts';
import { READ_LIMITS } from './registry/client.ts';
import { createRuntime, type Runtime } from './runtime.ts';
import { archived } from './testing/archived-stage.ts';
import { type FakeRegistry, startFakeRegistry } from './testing/fake-registry.ts';

const KEY = 'k-of-the-registry';

let dir: string;
let registry: FakeRegistry;
let opened: JobStages | undefined;
let runtime: Runtime | undefined;
const logger = { info: vi.fn(), warn: vi.fn() };
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-job-stages-'));
  registry = await startFakeRegistry();
  const store = openStageStore({ file: join(dir, 'author', 'store.json') });
  const { record } = await store.put(archived({ name: 'job_shout', text: 'value.toUpperCase()' }));
  registry.stages = (await store.read()).records;
  await trustKey(join(dir, '.noether'), { public_key: record.signer_public_key ?? '', name: 'author' });
  logger.warn.mockClear();
});
afterEach(async () => {
  await opened?.close();
  opened = undefined;
  runtime?.close();
  runtime = undefined;
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

function write(value: object, mode = 0o600): void {
  writeFileSync(join(dir, 'scheduler.json'), JSON.stringify({ jobs: [], ...value }));
  chmodSync(join(dir, 'scheduler.json'), mode);
}

function config(value: object, mode = 0o600): SchedulerConfig {
  write(value, mode);
  return readConfig('scheduler.json', dir);
}

function deps(variables = {}): JobStagesDeps {
  const home = findHome({ flag: dir, cwd: dir });
  const environment = readEnvironment(variables, home);
  const limits = { ...READ_LIMITS, pauses_ms: [] };
  return {
    home,
    environment,
    clock: systemClock,
    logger: logger as never,
    catalog: buildCatalog([]),
    limits,
  };
}

async function open(value: object, variables = {}): Promise<JobStages> {
  opened = await openJobStages(config(value), deps(variables));
  return opened;
}

async function run(stages: JobStages, id: string, input = 'a'): Promise<RunResult> {
  const { home, environment, clock } = deps();
  runtime ??= createRuntime({
    home,
    environment,
    clock,
    random: systemRandom,
    // A name that is no stage of the program's would have all of them loaded.
    ...(id === 'to_text' ? {} : { catalog: buildCatalog([]) }),
    stage_store: stages.stages,
    secrets: () => stages.secrets(),
  });
  const graph = parseGraph(JSON.stringify({ description: '', version: '0', root: { op: 'Stage', id } }), 'g');
  return runtime.run({ graph, graph_name: 'g', input, rules: { trace_values: true } });
}

describe('registry_url', () => {
  it('S30 has jobs run stages of the registry, and go on when it is away', async () => {
    const stages = await open({ registry_url: registry.url, registry_api_key: KEY });

    expect(await run(stages, 'job_shout')).toMatchObject({ ok: true, output: 'A' });
    expect(registry.asked[0]?.headers['x-api-key']).toBe(KEY);
    await registry.close();
    expect(await run(stages, 'job_shout')).toMatchObject({ ok: true, output: 'A' });
  });

  it('of a registry that hangs delays nothing that does not need it', async () => {
    registry.instead = () => true;
    const stages = await open({ registry_url: registry.url });

    expect(await run(stages, 'to_text')).toMatchObject({ ok: true });
    expect(await stages.registry()).toMatchObject({ status: 'none', url: registry.url });
  });

  it('of a registry that hangs delays nothing that needs it, once its catalogue was here', async () => {
    const first = await open({ registry_url: registry.url });
    await first.asked();
    await first.close();
    registry.instead = () => true;

    const asked = { ...deps(), first_wait_ms: 50 };
    const stages = (opened = await openJobStages(config({ registry_url: registry.url }), asked));

    await stages.asked();
    expect(logger.warn.mock.calls).toEqual([
      [
        { url: registry.url, since: expect.stringMatching(/^2/) as string, waited_ms: 50 },
        expect.stringContaining('its last good catalogue is used') as string,
      ],
    ]);
    expect(await run(stages, 'job_shout')).toMatchObject({ ok: true, output: 'A' });
  });

  it('goes over to another registry and key while the scheduler runs', async () => {
    const stages = await open({ registry_url: 'http://127.0.0.1:9' });
    await stages.asked();
    expect(await stages.registry()).toMatchObject({ status: 'none' });

    stages.reload(config({ registry_url: registry.url, registry_api_key: KEY }));

    await stages.asked();
    expect(await stages.registry()).toMatchObject({ status: 'current', url: registry.url, error: null });
    expect(stages.secrets()).toEqual([KEY]);
  });

  it('has its key from the file, else from NOETHER_REGISTRY_API_KEY where that is meant for it', async () => {
    const keyFor = async (value: object, variables: object): Promise<readonly string[]> => {
      const found = await open({ registry_url: registry.url, ...value }, variables);
      await found.close();
      return found.secrets();
    };
    const other = { NOETHER_REGISTRY: 'https://registry.example', NOETHER_REGISTRY_API_KEY: 'v' };

    expect(await keyFor({}, { NOETHER_REGISTRY_API_KEY: 'v' })).toEqual(['v']);
    expect(await keyFor({}, { ...other, NOETHER_REGISTRY: `${registry.url}/` })).toEqual(['v']);
    expect(await keyFor({}, other)).toEqual([]);
    expect(await keyFor({ registry_api_key: KEY }, other)).toEqual([KEY]);
  });

  it('hides its key in traces', async () => {
    const stages = await open({ registry_url: registry.url, registry_api_key: KEY });

    const { run_id } = await run(stages, 'job_shout', `it is ${KEY}`);

    const trace = JSON.stringify(runtime?.store.runs.get(run_id));
    expect(trace).toContain('job_shout');
    expect(trace).not.toContain(KEY);
  });

  it.each([
    ['store_path beside it', { store_path: 'a' }, /expected exactly one of them/],
    [
      'a password in it',
      { registry_url: 'https://u:hidden@x' },
      /^registry_url: expected an address without user/,
    ],
    ['a key in it', { registry_url: 'https://x/?key=hidden' }, /^registry_url: expected .* without query/],
    ['another protocol', { registry_url: 'ftp://x' }, /^registry_url: expected an http or https address/],
    ['a key that is none', { registry_api_key: 'hidden key' }, /^registry_api_key: expected visible ASCII/],
  ])('with %s is refused, and no key is told', (_what, value, problem) => {
    write({ registry_url: registry.url, ...value });

    expect(() => readConfig('scheduler.json', dir)).toThrow(
      expect.objectContaining({
        details: expect.objectContaining({
          problems: expect.arrayContaining([expect.stringMatching(problem)]) as unknown,
        }) as unknown,
      }) as Error,
    );
    expect(() => readConfig('scheduler.json', dir)).not.toThrow(/hidden/);
  });

  it('warns of a key others can read, of one nobody asks for, and of one that is sent unencrypted', async () => {
    const value = { registry_url: 'http://registry.example', registry_api_key: KEY };

    expect(config(value, 0o644).warnings.join()).toMatch(/others can read .*chmod 600/);
    expect(config(value).warnings).toEqual([]);
    expect(config({ registry_api_key: KEY }).warnings.join()).toMatch(/is not used/);
    const stages = await open(value);
    await stages.close();
    expect(JSON.stringify(logger.warn.mock.calls)).toContain('its key can be read on the way');
    expect(JSON.stringify(logger.warn.mock.calls)).not.toContain(KEY);
  });
});

describe('--check of a registry', () => {
  const check = async (url: string): Promise<{ text: string; warnings: readonly string[] }> => {
    writeFileSync(
      join(dir, 'g.json'),
      JSON.stringify({ description: '', version: '0', root: { op: 'Stage', id: 'job_shout' } }),
    );
    const read = config({
      registry_url: url,
      jobs: [{ name: 'a', cron: '0 0 1 1 *', graph: 'g.json', input: 'x' }],
    });
    const asked = await checkRegistry(read.registry!, deps());
    const text = await checkConfig(read, buildCatalog([]), 0, asked).catch(String);
    return { text, warnings: asked.warnings };
  };

  it('finds the stages of graphs there, and warns where only the last good catalogue has them', async () => {
    expect(await check(registry.url)).toMatchObject({
      text: expect.stringMatching(/^a: 0 0/) as string,
      warnings: [],
    });

    await registry.close();
    const { text, warnings } = await check(registry.url);
    expect(text).toMatch(/^a: 0 0/);
    expect(warnings.join()).toMatch(/^registry_url: .*ECONNREFUSED; the catalogue of 2.*Z is used$/);
  });

  it('tells where a stage was looked for that neither the program nor the registry has', async () => {
    registry.stages = [];

    expect((await check(registry.url)).text).toContain(
      `neither in this program nor in the registry ${registry.url}; ./noether stage push puts yours there`,
    );
  });

  it('tells of a registry that was never read', async () => {
    await registry.close();

    expect((await check(registry.url)).text).toMatch(
      /- registry_url: the registry .* cannot be read: ECONNREFUSED/,
    );
  });
});
