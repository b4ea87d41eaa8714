import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { systemClock } from '@caloron/capabilities/clock';
import { systemRandom } from '@caloron/capabilities/random';
import { buildCatalog, parseGraph } from '@caloron/noether';
import { stageKit } from '@caloron/noether/stage';
import { createRuntime, readEnvironment } from '@caloron/scheduler';
import { findHome, openStore } from '@caloron/store';
import type { CaloronCapabilities } from '@caloron/types';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { BINS, type Ended, environment, must, run, temporaryDirectory, writeText } from '../support/bins.ts';

/** `pnpm test` has a sample of these tests, `pnpm test:slow` all. */
const SLOW = process.env['CALORON_TEST_SLOW'] === '1';

const Failure = z.object({ ok: z.literal(false), error: z.looseObject({ code: z.string() }) });
const Run = z.looseObject({
  run_id: z.string(),
  status: z.string(),
  graph: z.string(),
  composition_id: z.string(),
  labels: z.record(z.string(), z.string()),
});
const Runs = z.object({ ok: z.literal(true), data: z.array(Run) });
const Step = z.looseObject({ path: z.string(), attempt: z.number(), status: z.string() });
const Trace = z.object({ data: z.object({ run: Run, steps: z.array(Step) }) });

/** A stage of another process: `/echo` gives its input back, `/flaky` fails twice, `/tell` fails with its input, `/hang` never answers. */
interface Peer {
  readonly url: string;
  readonly asked: string[];
  readonly server: Server;
}

async function peer(): Promise<Peer> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const path = request.url ?? '';
      asked.push(path);
      const { input } = z.looseObject({ input: z.unknown() }).parse(JSON.parse(text));
      const say = (status: number, body: unknown): unknown =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      if (path === '/hang') return;
      if (path === '/tell')
        return say(500, { ok: false, error: { message: `cannot do ${JSON.stringify(input)}` } });
      if (path === '/flaky' && asked.filter((one) => one === '/flaky').length < 3)
        return say(503, { ok: false, error: { message: 'not yet' } });
      return say(200, { ok: true, data: { output: input } });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, server };
}

/** A command that goes on. */
interface Child extends PromiseLike<{ readonly exitCode?: number | undefined }> {
  readonly kill: (signal: NodeJS.Signals) => boolean;
}

describe('runs and their traces', () => {
  let dir: string;
  let remote: Peer;
  const children: Child[] = [];

  beforeEach(async () => {
    dir = temporaryDirectory();
    remote = await peer();
  });
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    remote.server.closeAllConnections();
    remote.server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const graph = (name: string, root: unknown): string => {
    const path = join(dir, `${name}.json`);
    writeText(path, JSON.stringify({ description: name, version: '0.1.0', root }));
    return path;
  };
  const call = (path: string): unknown => ({
    op: 'RemoteStage',
    url: `${remote.url}${path}`,
    input: { kind: 'Any' },
    output: { kind: 'Any' },
  });
  const clock = (): string => graph('clock', { op: 'Stage', id: 'clock_now' });
  const env = (more: Readonly<Record<string, string>> = {}) => ({ cwd: dir, env: environment(more) });
  const noether = (...args: readonly string[]): Promise<Ended> =>
    run('noether', [...args, '--home', dir], env());
  const json = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse(await must('noether', [...args, '--home', dir, '--output', 'json'], env()));
  const runs = async (...args: readonly string[]): Promise<readonly z.infer<typeof Run>[]> =>
    Runs.parse(await json('runs', ...args)).data;

  /** A run that goes on until something ends it. */
  async function hanging(): Promise<{ readonly child: Child }> {
    const path = graph('hang', call('/hang'));
    const child = execa(process.execPath, [BINS.noether, 'run', path, '--home', dir], {
      ...env(),
      extendEnv: false,
      reject: false,
    });
    children.push(child);
    await vi.waitFor(() => expect(remote.asked).toContain('/hang'), { timeout: 30_000 });
    return { child };
  }

  it.each([
    [['--allow-effects', 'pure'], 2, 'GRAPH_POLICY_REFUSED'],
    [['--allow-effects', ''], 2, 'GRAPH_POLICY_REFUSED'],
    [['--allow-capabilities', ''], 2, 'GRAPH_POLICY_REFUSED'],
    [['--allow-effects', 'non-deterministic', '--allow-capabilities', 'clock'], 0, undefined],
    [['--allow-effects', 'nondetreministic'], 2, 'GRAPH_REFUSED'],
    [['--timeout', 'soon'], 1, 'CLI_USAGE'],
    [['--timeout', '0'], 1, 'CLI_USAGE'],
    [['--concurrency', '0'], 1, 'CLI_USAGE'],
    [['--budget-cents', '-1'], 1, 'CLI_USAGE'],
    [['--input', '{"a":'], 1, 'CLI_INPUT_INVALID'],
  ])('with %j end with %i', async (flags, code, reason) => {
    const ended = await noether('run', clock(), ...flags, '--output', 'json');

    expect(ended.code, ended.stdout).toBe(code);
    if (reason !== undefined) expect(Failure.parse(JSON.parse(ended.stdout)).error.code).toBe(reason);
  });

  it('that were refused name each problem for programs', async () => {
    const { stdout } = await noether('run', clock(), '--allow-effects', 'pure', '--output', 'json');

    expect(Failure.parse(JSON.parse(stdout)).error).toMatchObject({
      path: 'root',
      problems: [{ path: 'root', code: 'GRAPH_POLICY_REFUSED' }],
    });
  });

  if (SLOW)
    it('that are dry call nothing and leave nothing', async () => {
      const path = graph('echo', call('/echo'));
      const dry = z
        .object({
          data: z.looseObject({
            mode: z.string(),
            type_check: z.object({ input: z.string(), output: z.string() }),
          }),
        })
        .parse(await json('run', path, '--dry-run', '--input', '1'));

      expect(dry.data.mode).toBe('dry-run');
      expect(dry.data.type_check).toEqual({ input: 'Any', output: 'Any' });
      expect((await noether('run', path, '--dry-run')).stdout).toContain('nothing was run');
      expect((await noether('run', path, '--dry-run', '--allow-hosts', 'example.org')).code).toBe(2);
      expect(remote.asked).toEqual([]);
      expect(existsSync(join(dir, '.caloron'))).toBe(false);
    });

  if (SLOW)
    it('end at their deadline, and say so', async () => {
      const ended = await noether('run', graph('hang', call('/hang')), '--timeout', '300ms');

      expect(ended.code).toBe(3);
      expect(ended.stderr).toMatch(/deadline of 300 ms passed \[GRAPH_RUN_ABORTED\]/);
      expect(await runs('--status', 'failed')).toHaveLength(1);
    });

  it('end with 130 on Ctrl-C, and are kept as failed', async () => {
    const { child } = await hanging();
    child.kill('SIGINT');

    expect((await child).exitCode).toBe(130);
    expect(await runs()).toMatchObject([{ status: 'failed', error: { code: 'GRAPH_RUN_ABORTED' } }]);
  });

  if (SLOW)
    it('are running until they end, and interrupted when their process was killed', async () => {
      const { child } = await hanging();
      expect(await runs('--status', 'running')).toHaveLength(1);
      expect(await runs('--status', 'interrupted')).toEqual([]);
      const [going] = await runs();
      const id = going?.run_id.slice(0, 8) ?? '';
      expect((await noether('trace', id, '--output', 'text')).stdout).toMatch(
        /^ {2}running; started .*; 0 attempts ended\n\n {2}no call of a stage has ended$/m,
      );

      child.kill('SIGKILL');
      await child;

      expect(await runs('--status', 'running')).toEqual([]);
      expect(await runs('--status', 'interrupted')).toMatchObject([{ status: 'interrupted' }]);
      expect((await noether('trace', id, '--output', 'text')).stdout).toMatch(
        /^ {2}interrupted: process \d+ ended before the run did;/m,
      );
    });

  it('are traced attempt by attempt, as JSON where no terminal is', async () => {
    await must(
      'noether',
      ['run', graph('flaky', { op: 'Retry', stage: call('/flaky'), max_attempts: 3 }), '--home', dir],
      env(),
    );
    const [ran] = await runs();
    const { stdout } = await noether('trace', ran?.run_id.slice(0, 8) ?? '');
    const { run: told, steps } = Trace.parse(JSON.parse(stdout)).data;

    expect(told.status).toBe('ok');
    expect(steps).toMatchObject([
      { path: 'root.stage', attempt: 1, status: 'failed' },
      { path: 'root.stage', attempt: 2, status: 'failed' },
      { path: 'root.stage', attempt: 3, status: 'ok' },
    ]);
    const text = (await noether('trace', ran?.composition_id.slice(0, 12) ?? '', '--output', 'text')).stdout;
    expect(text).toMatch(/of which this is the latest run[\s\S]*try 2 failed: .*not yet[\s\S]*█/);
  });

  if (SLOW)
    it('are found by the beginning of an id that fits one, and told apart when it fits several', async () => {
      const store = openStore(join(dir, '.caloron/caloron.db'), {
        clock: systemClock,
        uuid: () => systemRandom.uuid(),
      });
      for (const run_id of ['aabb-1', 'aabb-2'])
        await store.runs.runStarted({
          run_id,
          composition_id: 'c'.repeat(64),
          graph: '/g/one.json',
          started_at: '2026-04-14T08:30:00.000Z',
          input_hash: 'i',
          labels: {},
        });
      store.close();

      const several = await noether('trace', 'aabb', '--output', 'text');
      expect([several.code, several.stderr]).toEqual([
        1,
        expect.stringMatching(/run aabb-2 .*run aabb-1 .*\[RUN_AMBIGUOUS\]/),
      ]);
      expect(Trace.parse(await json('trace', 'aabb-2')).data.run.run_id).toBe('aabb-2');
      const none = await noether('trace', 'zz', '--output', 'text');
      expect([none.code, none.stderr]).toEqual([
        1,
        expect.stringMatching(/no run or composition zz .*\n.*noether runs/),
      ]);
    });

  if (SLOW)
    it('are listed by graph, status, sprint, label, time and number', async () => {
      await noether('run', clock());
      await noether('run', clock(), '--allow-effects', '');
      await noether('run', graph('echo', call('/echo')), '--input', '{"sprint_id":"s-1"}');
      const graphs = async (...args: readonly string[]): Promise<readonly string[]> =>
        (await runs(...args)).map((one) => `${one.graph.split('/').at(-1)} ${one.status}`);

      expect(await graphs()).toEqual(['echo.json ok', 'clock.json refused', 'clock.json ok']);
      expect(await graphs('--graph', 'clock')).toEqual(['clock.json refused', 'clock.json ok']);
      expect(await graphs('--status', 'refused')).toEqual(['clock.json refused']);
      expect(await graphs('--sprint', 's-1')).toEqual(['echo.json ok']);
      expect(await graphs('--label', 'command=noether run', '--limit', '1')).toEqual(['echo.json ok']);
      expect(await graphs('--since', '1h')).toHaveLength(3);
      expect(await graphs('--since', '2100-01-01')).toEqual([]);
      expect((await noether('runs', '--since', 'yesterday')).stderr).toContain('CLI_USAGE');
      expect((await noether('runs', '--graph', 'other')).stdout).toBe('no run is like that');
    });

  /** Every byte the home holds. */
  const bytes = (): string =>
    readdirSync(join(dir, '.caloron'), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.db/.test(name))
      .map((name) => readFileSync(join(dir, '.caloron', name), 'latin1'))
      .join('');

  if (SLOW)
    it('show no secret of the environment, in no value, error or answer', async () => {
      const token = 'tok-4f"9\\e7 secret';
      const input = JSON.stringify({ [token]: 1, deep: [{ said: `Bearer ${token}` }] });
      const given = env({ CALORON_FORGE_TOKEN: token });
      // A pure stage's output would be kept for later runs.
      const pure = { op: 'Sequential', stages: [call('/echo'), { op: 'Stage', id: 'to_text' }] };
      const graphs = [graph('echo', call('/echo')), graph('pure', pure), graph('tell', call('/tell'))];
      for (const path of graphs) {
        const { stdout, stderr } = await run(
          'noether',
          ['run', path, '--input', input, '--trace-values', '--home', dir],
          given,
        );
        // The output of a run is its caller's own.
        expect(stderr + (path.includes('tell') ? stdout : '')).not.toContain('tok-4f');
      }
      const [told] = await runs('--graph', 'tell');
      const trace = await noether('trace', told?.run_id ?? '');

      expect(trace.stdout).toContain('***');
      expect(trace.stdout).not.toContain('tok-4f');
      expect(bytes()).toContain('Bearer ***');
      expect(bytes()).not.toContain('tok-4f');
    });

  it('show no field a stage marks as secret, nor what a failure says of it', async () => {
    const home = findHome({ flag: dir, cwd: dir });
    const secret = 'marked-5ecret-value';
    const defineStage = stageKit<CaloronCapabilities>();
    const stage = defineStage({
      name: 'sign_in',
      description: 'Fails with what it was given.',
      effects: ['Fallible'],
      capabilities: [],
      input: z.object({ user: z.string(), password: z.string().meta({ secret: true }) }),
      output: z.null(),
      examples: [{ input: { user: 'a', password: 'b' }, output: null }],
      run: ({ user, password }) => Promise.reject(new Error(`${user} may not come in with ${password}`)),
    });
    const runtime = createRuntime({
      home,
      environment: readEnvironment({}, home),
      clock: systemClock,
      random: systemRandom,
      catalog: buildCatalog([{ stage, archive: {} }]),
    });
    try {
      for (const trace_values of [true, false]) {
        const result = await runtime.run({
          graph: parseGraph(
            JSON.stringify({ description: 'd', version: '1', root: { op: 'Stage', id: 'sign_in' } }),
            'sign-in.json',
          ),
          graph_name: 'sign-in.json',
          input: { user: 'ada', password: secret },
          rules: { trace_values },
        });
        expect(JSON.stringify(result)).toContain('ada may not come in with ***');
        expect(JSON.stringify(runtime.store.runs.get(result.run_id))).toContain(
          'ada may not come in with ***',
        );
        expect(JSON.stringify(runtime.store.runs.get(result.run_id))).not.toContain(secret);
      }
    } finally {
      runtime.close();
    }
    expect(bytes()).toContain('ada');
    expect(bytes()).not.toContain(secret);
  });
});
