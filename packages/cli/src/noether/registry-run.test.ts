import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLoggerTo } from '@caloron/capabilities/logger';
import { type Registry, startRegistry } from '@caloron/scheduler/registry/server';
import { archived } from '@caloron/scheduler/testing/archived-stage';
import { openStageStore } from '@caloron/store';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { noetherProgram } from '../noether.ts';
import { runProgram } from '../program.ts';

const READ = 'read-key-of-the-test-0001';

let dir: string;
let graph: string;
let key: string;
let registry: Registry;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-run-registry-'));
  mkdirSync(join(dir, '.caloron'));
  for (const name of ['NOETHER_REGISTRY', 'NOETHER_REGISTRY_API_KEY', 'NOETHER_HOME', 'CALORON_DB'])
    vi.stubEnv(name, undefined);
  graph = join(dir, 'graph.json');
  writeFileSync(
    graph,
    JSON.stringify({ description: '', version: '0', root: { op: 'Stage', id: 'cli_shout' } }),
  );
  const file = join(dir, 'there', 'store.json');
  const { record } = await openStageStore({ file }).put(
    archived({ name: 'cli_shout', text: 'value.toUpperCase()' }),
  );
  key = record.signer_public_key ?? '';
  registry = await startRegistry({
    file,
    port: 0,
    keys: { read: READ, write: undefined },
    version: '0.1.0',
    logger: createLoggerTo({ name: 'registry' }, { write: () => undefined }),
  });
});
afterEach(async () => {
  vi.unstubAllEnvs();
  process.exitCode = 0;
  await registry.close();
  rmSync(dir, { recursive: true, force: true });
});

async function noether(...words: readonly string[]): Promise<{ code: unknown; out: string; err: string }> {
  const argv = [...words, '--home', dir];
  let [out, err] = ['', ''];
  const io = { out: (more: string) => void (out += more), err: (more: string) => void (err += more) };
  await runProgram(await noetherProgram(io, argv), argv, io);
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, out, err };
}

const run = (...more: readonly string[]) => noether('run', graph, '--input', '"a"', ...more);

// Each command loads every stage, to know that the name is none of theirs.
describe('a stage of a registry', () => {
  it('is checked and run once its author is trusted, and still when the registry is away', async () => {
    vi.stubEnv('NOETHER_REGISTRY_API_KEY', READ);
    const at = ['--registry', registry.url];

    expect(await run(...at)).toMatchObject({
      code: 2,
      err: expect.stringContaining(`next: ./noether stage trust ${key} --name WHO`) as string,
    });
    await noether('stage', 'trust', key, '--name', 'the author');
    expect(await noether('check', graph, ...at)).toMatchObject({ code: 0 });
    expect(await run(...at)).toMatchObject({ code: 0, out: '"A"\n', err: '' });

    await registry.close();
    const { code, out, err } = await run(...at);
    expect({ code, out }).toEqual({ code: 0, out: '"A"\n' });
    expect(err).toMatch(
      /noether run: the registry http:\S+ cannot be read: ECONNREFUSED; its catalogue of 2\S+Z is used\n/,
    );
  });

  it('is looked up in NOETHER_REGISTRY; its key is sent to that registry alone, and never shown', async () => {
    vi.stubEnv('NOETHER_REGISTRY_API_KEY', READ);
    vi.stubEnv('NOETHER_REGISTRY', 'https://registry.example');
    const refused = await run('--registry', registry.url);
    expect(refused.err).toContain('HTTP 401');
    expect(refused.err).toContain('NOETHER_REGISTRY_API_KEY');

    vi.stubEnv('NOETHER_REGISTRY', registry.url);
    await noether('stage', 'trust', key, '--name', 'the author');
    const ran = await run('--trace-values');
    expect(ran).toMatchObject({ code: 0, out: '"A"\n' });
    expect(JSON.stringify([refused, ran])).not.toContain(READ);
  });

  it('that was added here runs from here, pushed or not, and the registry is not asked', async () => {
    await openStageStore({ file: join(dir, '.noether', 'store.json') }).put(
      archived({ name: 'cli_shout', text: '`${value} of this home`' }),
    );
    vi.stubEnv('NOETHER_REGISTRY', registry.url);

    expect(await run()).toMatchObject({ code: 0, out: '"a of this home"\n', err: '' });
    expect(await noether('check', graph)).toMatchObject({ code: 0, err: '' });
  });

  it('that cannot be had says which registry, and how to look', async () => {
    await registry.close();

    const { code, err } = await run('--registry', `${registry.url}/`);

    expect(code).toBe(3);
    expect(err).toMatch(/no catalogue of the registry http:\S+ was read yet: .*ECONNREFUSED/);
    expect(err).toContain(`curl ${registry.url}/health`);
  });

  it.each(['registry.example', 'https://u:secret@x'])('is not looked up at %s', async (url) => {
    const { code, err } = await run('--registry', url);

    expect(code).toBe(1);
    expect(err).toMatch(/the address of the registry: expected an/);
    expect(err).not.toContain('secret@');
  });

  it('is not asked for a graph of the program’s stages', async () => {
    writeFileSync(
      graph,
      JSON.stringify({ description: '', version: '0', root: { op: 'Stage', id: 'to_text' } }),
    );
    vi.stubEnv('NOETHER_REGISTRY', 'not even an address');

    expect(await run()).toMatchObject({ code: 0, out: '"a"\n', err: '' });
  });
});
