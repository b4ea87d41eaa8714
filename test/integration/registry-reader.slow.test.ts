import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { readCatalogue } from '@caloron/scheduler/registry/client';
import { mirrorFile } from '@caloron/scheduler/registry/mirror-file';
import { archived } from '@caloron/scheduler/testing/archived-stage';
import { startFakeRegistry } from '@caloron/scheduler/testing/fake-registry';
import { openStageStore, readVerifiedStages } from '@caloron/store';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { environment, must, run, serve, writeText } from '../support/bins.ts';
import { ROOT } from '../support/tree.ts';

const READ = 'read-key-of-the-test-0001';
const WRITE = 'write-key-of-the-test-001';

let dir: string;
let undo: (() => unknown)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-reader-'));
  undo = [() => rmSync(dir, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const step of undo.reverse()) await step();
});

const GREET = `import { stageKit } from '@caloron/noether/stage';
import { z } from 'zod';

import { mark } from './lib/mark.ts';

export const greet = stageKit<object>()({
  name: 'greet_person',
  description: 'Greets a person by name.',
  effects: ['Pure'],
  input: z.string(),
  output: z.string(),
  examples: [{ input: 'Ada', output: 'Hello Ada!' }],
  run: (name) => \`Hello \${name}\${mark}\`,
});
`;

it('a stage that was pushed runs in a scheduler elsewhere, and still after the registry was killed', async () => {
  const at = (name: string) => ({ cwd: join(dir, name) });
  for (const name of ['author', 'there', 'here']) mkdirSync(join(dir, name, '.caloron'), { recursive: true });
  const keyOf = async (name: string): Promise<string> => {
    const said = await must('noether', ['stage', 'keys', '--output', 'json'], at(name));
    return (JSON.parse(said) as { data: { author: string } }).data.author;
  };
  writeText(join(dir, 'author', 'greet.ts'), GREET);
  writeText(join(dir, 'author', 'lib', 'mark.ts'), "export const mark = '!';\n");
  await must('noether', ['stage', 'add', 'greet.ts'], at('author'));
  await must('noether', ['stage', 'sync'], at('there'));
  await must('noether', ['stage', 'trust', await keyOf('author'), '--name', 'author'], at('there'));
  const served = environment({ NOETHER_REGISTRY_READ_KEY: READ, NOETHER_REGISTRY_WRITE_KEY: WRITE });
  const registry = await serve('noether', ['registry', 'serve', '--port', '0'], {
    ...at('there'),
    env: served,
  });
  undo.push(() => registry.stop());
  const write = environment({ NOETHER_REGISTRY: registry.url, NOETHER_REGISTRY_API_KEY: WRITE });
  await must('noether', ['stage', 'push', 'greet_person'], { ...at('author'), env: write });

  const root = { op: 'Stage', id: 'greet_person' };
  writeText(join(dir, 'here', 'g.json'), JSON.stringify({ description: '', version: '0', root }));
  const jobs = [{ name: 'greet', cron: '0 0 1 1 *', graph: 'g.json', input: 'Eve' }];
  writeText(join(dir, 'here', 'scheduler.json'), JSON.stringify({ registry_url: registry.url, jobs }));
  const env = environment({ NOETHER_REGISTRY_API_KEY: READ });
  const fire = () => run('noether-scheduler', ['--run', 'greet'], { ...at('here'), env });

  const untrusted = await fire();
  for (const name of ['author', 'there'])
    await must('noether', ['stage', 'trust', await keyOf(name), '--name', name], at('here'));
  const first = await fire();
  process.kill(registry.pid, 'SIGKILL');
  const second = await fire();
  const scheduler = await serve('noether-scheduler', [], { ...at('here'), env });
  undo.push(() => scheduler.stop());

  expect(untrusted.stdout).toContain('STAGE_UNTRUSTED');
  expect(JSON.parse(first.stdout)).toMatchObject({ status: 'ok', output: 'Hello Eve!' });
  expect(JSON.parse(second.stdout)).toMatchObject({ status: 'ok', output: 'Hello Eve!' });
  expect(second.stderr).toContain('its last good catalogue stays in use');
  await expect
    .poll(async () => (await fetch(`${scheduler.url}/health`)).json())
    .toMatchObject({ ok: true, registry: { url: registry.url, status: 'stale' } });
  for (const { stdout, stderr } of [untrusted, first, second]) expect(stdout + stderr).not.toContain(READ);
  expect(scheduler.log()).not.toContain(READ);
});

it('a stage whose file leaves a timer keeps no command that ran it', async () => {
  const at = { cwd: dir };
  mkdirSync(join(dir, '.caloron'));
  writeText(
    join(dir, 'ticks.ts'),
    `${GREET.replace("import { mark } from './lib/mark.ts';", "const mark = '!';")}setInterval(() => undefined, 1000);\n`,
  );
  const root = { op: 'Stage', id: 'greet_person' };
  writeText(join(dir, 'g.json'), JSON.stringify({ description: '', version: '0', root }));
  const jobs = [{ name: 'greet', cron: '0 0 1 1 *', graph: 'g.json', input: 'Eve' }];
  writeText(join(dir, 'scheduler.json'), JSON.stringify({ jobs }));

  await must('noether', ['stage', 'sync'], at);
  await must('noether', ['stage', 'add', 'ticks.ts'], at);
  expect(await must('noether', ['run', 'g.json', '--input', '"Eve"'], at)).toBe('"Hello Eve!"');
  const fired = await must('noether-scheduler', ['--run', 'greet'], at);
  expect(JSON.parse(fired)).toMatchObject({ status: 'ok', output: 'Hello Eve!' });
  // The five next fires, and the end.
  expect(await must('noether-scheduler', ['--check'], at)).toContain('greet: 0 0 1 1 *');
});

it('a mirror is whole though six processes write it at once and are killed while they do', async () => {
  const registry = await startFakeRegistry();
  undo.push(() => registry.close());
  const store = openStageStore({ file: join(dir, 'author', 'store.json') });
  const some = Array.from({ length: 30 }, (_, i) => archived({ name: `mirrored_${i}` }));
  await store.seed(some);
  const all = (await store.read()).records;
  const home = join(dir, 'home');
  const file = mirrorFile(home, registry.url);
  const children = new Set<ChildProcess>();
  const told: string[] = [];
  const begin = (): void => {
    const path = join(ROOT, 'test/support/mirror-child.ts');
    const child = spawn(process.execPath, [path, registry.url, home], { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (text: Buffer) => told.push(...text.toString().trim().split('\n')));
    child.stderr.on('data', (text: Buffer) => told.push(text.toString()));
    children.add(child);
  };
  const kill = async (child: ChildProcess): Promise<void> => {
    children.delete(child);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await ended;
    }
  };
  undo.push(() => Promise.all([...children].map(kill)));
  registry.stages = all.slice(0, 10);
  for (let i = 0; i < 6; i += 1) begin();

  for (let turn = 0; turn < 12; turn += 1) {
    // Each turn the catalogue is another one, so that all write; one that writes may be the one that is killed.
    registry.stages = all.slice(0, 10 + turn);
    const before = told.length;
    await expect.poll(() => told.length, { timeout: 60_000 }).toBeGreaterThan(before + 2);
    const [oldest] = children;
    if (oldest !== undefined) await kill(oldest);
    begin();
    await readVerifiedStages({ file, keys_dir: home });
  }
  registry.stages = all;
  await expect.poll(() => told.at(-1), { timeout: 60_000 }).toBe('read 30');
  await Promise.all([...children].map(kill));

  expect(told.filter((line) => !/^read \d+$/u.test(line))).toEqual([]);
  expect((await readVerifiedStages({ file, keys_dir: home })).records).toHaveLength(30);
  expect(readdirSync(dirname(file)).length).toBeLessThan(8);
});

it('a registry that would send 10 GB costs neither memory nor time', async () => {
  const registry = await startFakeRegistry();
  undo.push(() => registry.close());
  let sent = 0;
  registry.instead = (_request, response) => {
    const chunk = Buffer.alloc(1024 * 1024, ' ');
    const more = (): void => {
      while (!response.destroyed && sent < 10 * 1024 ** 3) {
        sent += chunk.length;
        if (!response.write(chunk)) return;
      }
    };
    response.writeHead(200).on('drain', more);
    more();
    return true;
  };
  const held = process.memoryUsage().rss;

  await expect(readCatalogue({ url: registry.url, api_key: null })).rejects.toMatchObject({
    code: 'REGISTRY_ANSWER_INVALID',
  });

  expect(sent).toBeLessThan(1024 ** 3);
  expect(process.memoryUsage().rss - held).toBeLessThan(512 * 1024 ** 2);
});
