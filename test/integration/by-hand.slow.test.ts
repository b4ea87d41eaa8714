import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { TickOutput } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import {
  editJson,
  environment,
  type ForgeWorld,
  forgeWorld,
  must,
  run,
  serve,
  type Serving,
  temporaryDirectory,
  writeScript,
} from '../support/bins.ts';
import { killProcessesOf, processesOf } from '../support/processes.ts';
import { ROOT } from '../support/tree.ts';

const TICK = join(ROOT, 'compositions/sprint_tick.json');
/** Longest one sprint of two tasks may take. */
const SPRINT_MS = 120_000;

const Status = z.object({
  ok: z.literal(true),
  data: z.object({
    status: z.string(),
    tasks: z.record(z.string(), z.object({ status: z.string(), review_cycles: z.number() })),
  }),
});

describe('a sprint by hand', () => {
  let dir: string;
  let home: string;
  let world: ForgeWorld;
  let env: Readonly<Record<string, string>>;
  const serving: Serving[] = [];

  beforeEach(async () => {
    dir = temporaryDirectory();
    home = join(dir, 'home');
    world = await forgeWorld(dir);
    serving.push(world.forge);
    env = environment(world.tokens);
    const scripts = join(dir, 'scripts');
    writeScript(scripts, 'first', [['first.txt', 'done\n']]);
    // The first attempt fails the verify command and comes back with a review.
    writeScript(scripts, 'second', [
      ['second.txt', 'half of it\n'],
      ['second.txt', 'done\n'],
    ]);
    writeScript(scripts, 'third', [['third.txt', 'done\n']]);
  });

  afterEach(async () => {
    for (const { stop } of serving.splice(0).reverse()) await stop();
    killProcessesOf(dir);
    rmSync(dir, { recursive: true, force: true });
  });

  const caloron = (...args: readonly string[]): Promise<string> =>
    must('caloron', [...args, '--home', home], { cwd: dir, env });
  const noether = (...args: readonly string[]): Promise<string> =>
    must('noether', [...args, '--home', home], { cwd: dir, env });
  const status = async (sprint: string): Promise<z.infer<typeof Status>['data']> =>
    Status.parse(JSON.parse(await caloron('status', '--sprint', sprint, '--output', 'json'))).data;

  async function init(): Promise<void> {
    const forge = ['--repo', world.repo, '--host', world.forge.url, '--token-env', 'CALORON_FORGE_TOKEN'];
    const agents = ['--reviewer-token-env', 'CALORON_REVIEWER_TOKEN', '--framework', 'stub'];
    const said = await caloron('init', ...forge, ...agents, '--verify', 'sh check.sh');
    expect(said).toMatch(/wrote .*caloron\.json[\s\S]*export CALORON_FORGE_TOKEN=…[\s\S]*caloron up/);
    editJson(join(home, 'caloron.json'), { framework_options: { script_dir: join(dir, 'scripts') } });
  }

  async function startShell(): Promise<Serving> {
    const shell = await serve('caloron-shell', ['--port', '0', '--home', home], { cwd: home, env });
    serving.push(shell);
    env = { ...env, CALORON_SHELL_URL: shell.url };
    return shell;
  }

  /** Ticks as a person does, turn by turn with both commands, until the sprint is complete. */
  async function tickUntilDone(sprint_id: string): Promise<readonly TickOutput[]> {
    const input = JSON.stringify({ sprint_id, repo: world.repo, stall_threshold_m: 20 });
    const ticks: TickOutput[] = [];
    const deadline = performance.now() + SPRINT_MS;
    while (ticks.at(-1)?.complete !== true) {
      expect(performance.now(), JSON.stringify(ticks.slice(-3))).toBeLessThan(deadline);
      const text =
        ticks.length % 2 === 0
          ? await noether('run', TICK, '--input', input)
          : JSON.stringify(
              z
                .object({ data: z.unknown() })
                .parse(JSON.parse(await caloron('tick', '--sprint', sprint_id, '--output', 'json'))).data,
            );
      ticks.push(TickOutput.parse(JSON.parse(text)));
    }
    return ticks;
  }

  it('A5 goes from init to the report by single commands, and again under the scheduler', async () => {
    await init();

    // Types and effects of every composition, without a database, a forge or a shell.
    const names = ['sprint_tick', 'kickoff', 'retro', 'spawn_agent'];
    const checks = await Promise.all(
      names.map((name) => noether('check', join(ROOT, `compositions/${name}.json`))),
    );
    for (const checked of checks) {
      expect(checked).toMatch(/type-checks[\s\S]*input +Record \{[\s\S]*effects +.*Fallible/);
      expect(checked).not.toMatch(/[0-9a-f]{64} is/);
    }
    expect(existsSync(join(home, '.caloron/caloron.db'))).toBe(false);

    const before = await run('caloron', ['doctor', '--home', home], { cwd: dir, env });
    expect(before.code).toBe(1);
    expect(before.stdout).toMatch(/^MISSING +shell .*next: .*caloron up/m);
    const shell = await startShell();
    const after = await caloron('doctor');
    expect(after).not.toContain('MISSING');
    expect(after).toMatch(/^ok +approvals +stub may, unasked: what its script says$/m);

    // The first sprint has no scheduler.
    const brief = '- [first] Write the first file\n- [second] Write the second file (after: first)\n';
    const kicked = await caloron('kickoff', brief, '--repo', world.repo, '--sprint-id', 'by-hand');
    expect(kicked).toMatch(/sprint by-hand: 2 tasks \(list\)/);
    expect(await caloron('kickoff', brief, '--repo', world.repo, '--sprint-id', 'by-hand')).toContain(
      'exists already: nothing was changed',
    );
    expect(await caloron('status')).toMatch(/sprint by-hand on agent\/lib: .*\n[\s\S]*^second /m);
    expect(await caloron('retro')).toContain('interim report (the sprint is open)');

    const ticks = await tickUntilDone('by-hand');
    const taken = ticks.flatMap(({ actions_taken }) => actions_taken).join('\n');
    expect(taken).toMatch(/merge/i);
    const { tasks } = await status('by-hand');
    expect(Object.values(tasks).map((task) => task.status)).toEqual(['Done', 'Done']);
    expect(tasks['second']?.review_cycles).toBe(1);

    const said = await caloron('retro', '--sprint', 'by-hand');
    expect(said).toMatch(/^report: .*by-hand\.md\n +2 of 2 tasks done/);
    expect(readFileSync(/^report: (.*)$/m.exec(said)?.[1] ?? '', 'utf8')).toContain('by-hand');

    // The second one is driven by its scheduler, which waits for events.
    const scheduler = await serve('noether-scheduler', ['--config', 'scheduler.json'], { cwd: home, env });
    serving.push(scheduler);
    await caloron('kickoff', '- [third] Write the third file', '--repo', world.repo, '--sprint-id', 'driven');
    const report = join(home, 'reports/driven.md');
    await vi.waitFor(() => expect(existsSync(report)).toBe(true), { timeout: SPRINT_MS, interval: 100 });
    await vi.waitFor(async () => expect(await caloron('retro')).toMatch(/^report: /), {
      timeout: 30_000,
      interval: 500,
    });

    // What can be looked at afterwards.
    const agents = z
      .object({ data: z.array(z.object({ process_id: z.string(), role: z.string() })) })
      .parse(JSON.parse(await caloron('agents', '--sprint', 'driven', '--output', 'json'))).data;
    const author = agents.find(({ role }) => role === 'author')?.process_id ?? '';
    const looks: readonly (readonly [Promise<string>, RegExp])[] = [
      [caloron('history'), /^driven .*1\/1[\s\S]*^by-hand .*2\/2/m],
      [
        caloron('show', 'second', '--sprint', 'by-hand'),
        /second: Write the second file\n +Done[\s\S]*after first[\s\S]*requests changes: PR #\d+ sh check\.sh exits 1[\s\S]*approves/,
      ],
      [caloron('agents', '--sprint', 'by-hand'), /^agent +sprint/],
      [caloron('logs', author), /writing third\.txt/],
      [caloron('state'), /"sprint_id": "driven"/],
      [caloron('kv', 'list', 'caloron:driven:'), /^caloron:driven:state$/m],
      [caloron('kv', 'get', 'caloron:active_sprint'), /"sprint_id": "driven"/],
      [caloron('kv', 'rebuild', '--check'), /are what the log gives/],
      [noether('runs', '--output', 'table'), /^run +graph[\s\S]*sprint_tick\.json +ok/],
      [noether('stage', 'get', 'dag_evaluate'), /"name": "dag_evaluate"/],
      [noether('store', 'stats'), /^\d+ stages in /],
    ];
    const answers = await Promise.all(looks.map(([text]) => text));
    looks.forEach(([, expected], at) => expect(answers[at]).toMatch(expected));

    // Both processes end by signal, and `up` and `down` do the same for them.
    expect(await scheduler.stop()).toBe(0);
    expect(await shell.stop()).toBe(0);
    env = environment(world.tokens);
    expect(await caloron('up')).toMatch(/caloron-shell +http[\s\S]*noether-scheduler +http/);
    expect(await caloron('doctor')).not.toContain('MISSING');
    expect(await caloron('down')).toMatch(/noether-scheduler \(pid \d+\) stopped/);
    expect(await caloron('down')).toContain('nothing was running');
    expect(processesOf(home)).toEqual([]);
  });
});
