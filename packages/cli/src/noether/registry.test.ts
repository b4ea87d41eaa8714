import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createLoggerTo } from '@caloron/capabilities/logger';
import { type Registry, startRegistry } from '@caloron/scheduler/registry/server';
import { readStageStore, readVerifiedStages, writeStageStore } from '@caloron/store';
import { authorKey, trustKey } from '@caloron/store/stage-store-keys';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { noetherProgram } from '../noether.ts';
import { runProgram } from '../program.ts';
import { programCatalog } from '../stages.ts';

const SLOW = process.env['CALORON_TEST_SLOW'] === '1';
const WRITE = 'write-key-of-the-test-001';

let dir: string;
let store: string;
let registry: Registry | undefined;
// It reads the source of each stage of the program, once in a process.
beforeAll(() => void programCatalog());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-push-'));
  store = join(dir, '.noether', 'store.json');
  mkdirSync(join(dir, 'there'));
  for (const name of ['NOETHER_REGISTRY', 'NOETHER_REGISTRY_API_KEY']) vi.stubEnv(name, undefined);
  for (const name of ['NOETHER_REGISTRY_READ_KEY', 'NOETHER_REGISTRY_WRITE_KEY']) vi.stubEnv(name, undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  process.exitCode = 0;
  await registry?.close();
  registry = undefined;
  rmSync(dir, { recursive: true, force: true });
});

interface Ran {
  readonly code: unknown;
  readonly text: string;
  readonly data: {
    readonly pushed: readonly {
      readonly name: string;
      readonly created: boolean;
      readonly supersedes: readonly string[];
    }[];
    readonly failed: readonly { readonly name: string; readonly code: string; readonly message: string }[];
    readonly counts: object;
    readonly id: string;
  };
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}

async function noether(...words: readonly string[]): Promise<Ran> {
  const json = !words.includes('--output');
  const argv = [...words, '--home', dir, ...(json ? ['--output', 'json'] : [])];
  let text = '';
  const io = { out: (more: string) => void (text += more), err: (more: string) => void (text += more) };
  await runProgram(await noetherProgram(io, argv), argv, io);
  const code = process.exitCode;
  process.exitCode = 0;
  return { code, text, ...(json ? (JSON.parse(text) as Omit<Ran, 'code' | 'text'>) : {}) } as Ran;
}

async function add(name: string, changes: object = {}): Promise<string> {
  const path = join(dir, `${name}.json`);
  const facts = {
    name,
    description: `What ${name} does with ${name.length} letters.`,
    input: 'Text',
    output: { Record: [[name, 'Text']] },
    implementation: `def execute(value):\n    return {'${name}': value}\n`,
    examples: [{ input: 'a', output: { [name]: 'a' } }],
  };
  writeFileSync(path, JSON.stringify({ ...facts, ...changes }));
  const { data } = await noether('stage', 'add', path);
  return data.id;
}

/** A registry beside, with a store of its own that trusts the author here. */
async function serve(trust = true): Promise<string> {
  const file = join(dir, 'there', 'store.json');
  await writeStageStore(file, []);
  const { public_key } = await authorKey(join(dir, '.noether'));
  if (trust) await trustKey(join(dir, 'there'), { public_key, name: 'me' });
  const logger = createLoggerTo({ name: 'registry' }, { write: () => undefined });
  const keys = { read: undefined, write: WRITE };
  registry = await startRegistry({ file, port: 0, keys, version: '0.1.0', logger });
  vi.stubEnv('NOETHER_REGISTRY', registry.url);
  vi.stubEnv('NOETHER_REGISTRY_API_KEY', WRITE);
  return registry.url;
}

const there = async (): Promise<readonly string[]> =>
  (await readVerifiedStages({ file: join(dir, 'there', 'store.json') })).records
    .map(({ name }) => name)
    .toSorted();

describe('noether stage push', () => {
  it('gives named stages to the registry, and again changes nothing', async () => {
    await serve();
    await add('shout');
    const id = await add('whisper');

    const first = await noether('stage', 'push', 'shout', id.slice(0, 12));
    const again = await noether('stage', 'push', 'shout', id, '--output', 'text');

    expect(first).toMatchObject({
      code: 0,
      data: { counts: { created: 2, unchanged: 0, failed: 0 }, failed: [] },
    });
    expect(await there()).toEqual(['shout', 'whisper']);
    expect(again.code).toBe(0);
    expect(again.text).toMatch(
      /^shout → [0-9a-f]{64} {2}there already\nwhisper → .*there already\n0 stages pushed, 2 there already, 0 failed: http/,
    );
  });

  it('gives a stage of a TypeScript file with its code, which runs here by its name', async () => {
    await serve();
    writeFileSync(join(dir, 'mark.ts'), "export const mark: string = '!';\n");
    writeFileSync(
      join(dir, 'shout.ts'),
      `import { stageKit } from '@caloron/noether/stage';
import { z } from 'zod';
import { mark } from './mark.ts';
export const shout = stageKit()({
  name: 'shout', description: 'Says a text loud.', effects: ['Pure'],
  input: z.object({ text: z.string() }), output: z.object({ said: z.string() }),
  examples: [{ input: { text: 'a' }, output: { said: 'A!' } }],
  run: ({ text }) => ({ said: text.toUpperCase() + mark }),
});\n`,
    );
    const graph = join(dir, 'graph.json');
    const root = { op: 'Stage', id: 'shout' };
    writeFileSync(graph, JSON.stringify({ description: 'g', version: '0.1.0', root }));

    const file = join(dir, 'shout.ts');
    const right = readFileSync(file, 'utf8');
    writeFileSync(file, right.replace("'A!'", "'B'"));
    expect(await noether('stage', 'add', file)).toMatchObject({
      code: 1,
      error: { message: expect.stringMatching(/examples\[0\]: expected .*B.*, got .*A!/) as string },
    });
    writeFileSync(file, right);
    expect(await noether('stage', 'add', file)).toMatchObject({ code: 0 });
    expect(await noether('stage', 'test', 'shout')).toMatchObject({ code: 0, data: { counts: { ok: 1 } } });
    const url = process.env['NOETHER_REGISTRY'];
    const said = { code: 0, data: { output: { said: 'A!' } } };
    vi.stubEnv('NOETHER_REGISTRY', undefined);
    expect(await noether('run', graph, '--input', '{"text":"a"}')).toMatchObject(said);
    vi.stubEnv('NOETHER_REGISTRY', url);
    expect(await noether('stage', 'push', 'shout')).toMatchObject({
      code: 0,
      data: { counts: { created: 1 } },
    });
    const [record] = await readStageStore(join(dir, 'there', 'store.json'));
    expect(Object.keys(record?.archive ?? {})).toEqual(['mark.ts', 'shout.ts']);

    // The home's own store comes first. From the registry it runs where its keys, the author's and the registry's, are trusted.
    rmSync(store);
    expect(await noether('run', graph, '--input', '{"text":"a"}')).toMatchObject({
      code: 2,
      error: { code: 'STAGE_UNTRUSTED' },
    });
    await noether('stage', 'trust', record?.record_signer ?? '', '--name', 'registry');
    expect(await noether('run', graph, '--input', '{"text":"a"}')).toMatchObject(said);
  });

  it('--all pushes every active stage of the store', async () => {
    await serve();
    await add('shout');
    await add('whisper');
    await noether('stage', 'tombstone', 'whisper');

    expect(await noether('stage', 'push', '--all')).toMatchObject({
      code: 0,
      data: { counts: { created: 1 } },
    });
    expect(await there()).toEqual(['shout']);
  });

  if (SLOW)
    it('signs a stage of the program that no store holds', async () => {
      await serve();

      expect(await noether('stage', 'push', 'to_text')).toMatchObject({
        code: 0,
        data: { counts: { created: 1 } },
      });
      const [record] = await readStageStore(join(dir, 'there', 'store.json'));
      const { public_key } = await authorKey(join(dir, '.noether'));
      expect(record).toMatchObject({ name: 'to_text', signer_public_key: public_key });
      expect(Object.keys(record?.archive ?? {}).length).toBeGreaterThan(0);
    });

  it('tells what the registry refuses, each with its problems, and exits 2', async () => {
    await serve(false);
    await add('shout');

    const { code, data } = await noether('stage', 'push', 'shout');

    expect(code).toBe(2);
    expect(data.failed).toMatchObject([{ name: 'shout', code: 'REGISTRY_PUSH_REFUSED' }]);
    expect(data.failed[0]?.message).toMatch(/signer_public_key [0-9a-f]{64} is not trusted by this registry/);
    expect((await noether('stage', 'push', 'shout', '--output', 'text')).text.split('\n')[0]).toMatch(
      /^shout → [0-9a-f]{64} {2}FAILED .*not trusted.*\[REGISTRY_PUSH_REFUSED\]$/,
    );
    expect(await there()).toEqual([]);
  });

  it('says that a key is needed, and where to put it', async () => {
    const url = await serve();
    await add('shout');
    vi.stubEnv('NOETHER_REGISTRY_API_KEY', undefined);

    expect(await noether('stage', 'push', 'shout', '--registry', `${url}/`)).toMatchObject({
      code: 1,
      error: {
        code: 'REGISTRY_PUSH_REFUSED',
        hint: expect.stringContaining('NOETHER_REGISTRY_API_KEY') as string,
      },
    });
  });

  it.each([
    [['shout'], undefined, /no registry is named/],
    [['shout'], 'ftp://x.example', /expected an http or https address/],
    [['shout'], 'http://user:secret@x.example', /without user and password/],
    [[], 'http://127.0.0.1:1', /no stage is named/],
    [['shout', '--all'], 'http://127.0.0.1:1', /--all goes with no stage/],
  ])('%j to %j is told before anything is sent', async (words, url, problem) => {
    vi.stubEnv('NOETHER_REGISTRY', url);
    await add('shout');

    const { code, error } = await noether('stage', 'push', ...words);

    expect([code, error.code]).toEqual([1, 'CLI_USAGE']);
    expect(error.message).toMatch(problem);
    expect(error.message).not.toContain('secret');
  });

  if (SLOW)
    it('refuses a name nobody has, a store that is not there, and a stage of a key nobody trusts', async () => {
      vi.stubEnv('NOETHER_REGISTRY', 'http://127.0.0.1:1');
      expect(await noether('stage', 'push', '--all')).toMatchObject({
        code: 1,
        error: { code: 'CLI_NOT_FOUND' },
      });
      await add('shout');
      expect(await noether('stage', 'push', 'shoot')).toMatchObject({
        code: 1,
        error: { code: 'STAGE_UNKNOWN' },
      });
      rmSync(join(dir, '.noether', 'author-key.hex'));
      expect(await noether('stage', 'push', 'shout')).toMatchObject({
        code: 2,
        error: { code: 'STAGE_UNTRUSTED' },
      });
    });
});

describe('noether registry serve', () => {
  it('says what keeps it from serving, and exits 1', async () => {
    expect(await noether('registry', 'serve')).toMatchObject({
      code: 1,
      error: { code: 'REGISTRY_STORE_MISSING', hint: expect.stringContaining(store) as string },
    });
    await add('shout');
    const ask = async (...words: readonly string[]): Promise<unknown> => {
      const { code, error } = await noether('registry', 'serve', ...words);
      return [code, error.code];
    };
    expect(await ask('--host', '0.0.0.0')).toEqual([1, 'REGISTRY_READS_OPEN']);
    expect(await ask('--port', '65536')).toEqual([1, 'CLI_USAGE']);
    const { port } = new URL(await serve());
    expect(await ask('--port', port)).toEqual([1, 'REGISTRY_PORT_IN_USE']);
    vi.stubEnv('NOETHER_REGISTRY_WRITE_KEY', 'short');
    expect(await ask()).toEqual([1, 'REGISTRY_KEY_INVALID']);
    vi.stubEnv('NOETHER_REGISTRY_WRITE_KEY', undefined);
    writeFileSync(store, readFileSync(store, 'utf8').replace('letters', 'words'));
    expect(await ask()).toEqual([2, 'STAGE_TAMPERED']);
  });
});
