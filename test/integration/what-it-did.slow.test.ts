import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';

import { BINS, type Ended } from '../support/bins.ts';
import { SprintWorld } from '../support/sprint-world.ts';

const WAIT = { timeout: 120_000, interval: 50 } as const;

const world = new SprintWorld({
  settings: { workspace: { ports: 2, cache: true }, budget: { agent: { tokens: 5000 } } },
});

/** Three tasks whose agents work as long as the tests do, and one that waits for the first. */
beforeAll(async () => {
  for (const task of ['first', 'second', 'third'])
    world.script(task, { steps: [{ say: `${task} begins` }, { wait_ms: 600_000 }] });
  await world.start();
  const tasks = ['[first] The first', '[second] The second', '[third] The third'];
  await world.kickoff('open', [...tasks, '[last] The last (after: first)'], '--num-agents', '3');
  await world.said('tick');
});
afterAll(() => world.close());

/** Command lines that are answered with what is wrong, as bad input. */
function refuses(cases: readonly (readonly [readonly string[], RegExp])[]): void {
  it.each(cases)('refuses %j', async (args, problem) => {
    const { code, stderr } = await world.caloron(...args);
    expect(stderr).toMatch(problem);
    expect(code).toBe(1);
  });
}

/** A command that goes on until it is ended, and what it has said so far. */
function going(...args: readonly string[]): {
  readonly said: () => string;
  readonly kill: (signal: NodeJS.Signals) => void;
  readonly ended: Promise<Ended>;
} {
  const child = execa(process.execPath, [BINS.caloron, ...args, '--home', world.home], {
    cwd: world.dir,
    env: world.env,
    extendEnv: false,
    reject: false,
    timeout: 120_000,
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = child.then(({ exitCode, stdout, stderr }) => ({ code: exitCode, stdout, stderr }));
  return { said: () => said, kill: (signal) => void child.kill(signal), ended };
}

const Agents = z.object({
  data: z.array(
    z.object({ agent_id: z.string(), task_id: z.string(), pid: z.number(), process_id: z.string() }),
  ),
});

async function agentOf(task: string): Promise<z.infer<typeof Agents>['data'][number]> {
  const { data } = Agents.parse(JSON.parse((await world.caloron('agents', '--output', 'json')).stdout));
  const found = data.find(({ task_id }) => task_id === task);
  expect(found, task).toBeDefined();
  return found!;
}

describe('the account of a task', () => {
  it('shows what works on it, the evidence and what can be done next', async () => {
    const { agent_id, pid, process_id } = await agentOf('second');
    // Its harness beats once it is up.
    const { stdout } = await vi.waitFor(async () => {
      const ended = await world.caloron('show', 'second');
      expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('last heartbeat') });
      return ended;
    }, WAIT);
    expect(stdout).toMatch(/^second: The second\n {2}InProgress since/);
    expect(stdout).toMatch(
      new RegExp(`author 1 start +${agent_id} .* s +running .* ${process_id.slice(0, 8)}\\n`),
    );
    expect(stdout).toMatch(new RegExp(`${agent_id}: pid ${pid} runs, last heartbeat \\d+ s ago, `));
    expect(stdout).toContain(`watch it: ./caloron logs -f ${agent_id} --home ${world.home}`);
    expect(stdout).toMatch(/what happened\n[^]*issue/);

    const json = z
      .looseObject({ data: z.looseObject({ attempts: z.array(z.looseObject({})) }) })
      .parse(JSON.parse((await world.caloron('show', 'second', '--output', 'json')).stdout));
    expect(json.data).toMatchObject({
      task: { id: 'second' },
      attempts: [{ process_id, state: 'running', started_at: expect.stringMatching(/Z$/), ended_at: null }],
      evidence: [{ process_id, alive: true, last_heartbeat_at: expect.stringMatching(/Z$/) }],
      decisions: [],
    });
    const [first, last] = [await world.caloron('agents'), await world.caloron('status')];
    const [, ...rows] = first.stdout.split('\n');
    expect(rows).toHaveLength(3);
    for (const row of rows)
      expect(row).toMatch(
        /open +\w+ +author +\d+ +working, live +(?:-|\S+ \d+ s) +\d+ s +- +0\/5 000 tokens +\d+-\d+ +\S+\/cache\/open/,
      );
    expect(last.stdout).toMatch(/second +InProgress .* live, (?:no sign yet|\S+ \d+ s)/);
    expect(json.data['evidence']).toMatchObject([
      {
        details: {
          runs: true,
          liveness: 'live',
          ports: { count: 2 },
          cache_dir: join(world.home, '.caloron/cache/open/second'),
          session: null,
          spending: { used: { tokens: 0 }, limit: { tokens: 5000 } },
        },
      },
    ]);
  });

  it('shows what a task waits for that nothing works on', async () => {
    const { stdout } = await world.caloron('show', 'last', '--sprint', 'open');
    expect(stdout).toContain(`it waits for first: ./caloron show first --sprint open --home ${world.home}`);
    expect(stdout).not.toMatch(/^attempts|^evidence|^decisions/m);
  });

  refuses([
    [['show', 'constructor'], /CLI_TASK_UNKNOWN/],
    [['show', 'last', '--sprint', 'none'], /SPRINT_UNKNOWN/],
  ]);
});

describe('the log of an agent', () => {
  it('is followed until its agent ends, over what it says meanwhile', async () => {
    const { agent_id, process_id } = await agentOf('first');
    const following = going('logs', '-f', agent_id);
    const lines = going('logs', '--follow', process_id.slice(0, 12), '--tail', '0', '--output', 'json');
    await vi.waitFor(() => expect(following.said()).toContain('first begins'), WAIT);
    appendFileSync(join(world.home, '.caloron/logs', `${process_id}.log`), 'in between\n');
    await vi.waitFor(() => expect(following.said()).toContain('in between'), WAIT);

    expect((await world.caloron('stop', agent_id)).code).toBe(0);
    const { code, stdout, stderr } = await following.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/first begins[\s\S]*in between/);
    expect(stderr).toMatch(
      new RegExp(`^${agent_id} \\(process ${process_id.slice(0, 8)}\\) (ended|was ended)`),
    );

    const said = (await lines.ended).stdout
      .split('\n')
      .map((line) => z.looseObject({}).parse(JSON.parse(line)));
    expect(said.slice(0, -1).every((line) => line['process_id'] === process_id)).toBe(true);
    expect(said.at(-1)).toMatchObject({ ok: true, data: { process_id, ended: true, state: 'exited' } });
    // An agent that ended is followed no longer than its log is.
    expect(await going('logs', '-f', agent_id, '--tail', '1').ended).toMatchObject({ code: 0 });
  });

  it('is let go by Ctrl-C, which leaves the agent at work', async () => {
    const { agent_id, pid } = await agentOf('second');
    const following = going('logs', '-f', agent_id);
    await vi.waitFor(() => expect(following.said()).toContain('second begins'), WAIT);
    following.kill('SIGINT');
    expect(await following.ended).toMatchObject({
      code: 130,
      stderr: expect.stringContaining('interrupted: the agent goes on'),
    });
    expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).not.toMatch(/\) Z/);
  });

  refuses([
    [['logs', 'nobody'], /no agent or process "nobody" \[CLI_NOT_FOUND\]\n +next: .*caloron agents/],
    [['logs', ''], /no agent or process "" \[CLI_NOT_FOUND\]/],
    [['logs', '-f', '../x'], /no agent or process "\.\.\/x" \[CLI_NOT_FOUND\]/],
    [['logs', 'agent-1', '--tail', 'x'], /expected a number of lines.* \[CLI_USAGE\]/],
  ]);
});

describe('the status of a sprint', () => {
  it('is watched: each change is a line, until Ctrl-C', async () => {
    const text = going('status', '--watch');
    const json = going('status', '-w', '--sprint', 'open', '--output', 'json');
    const all = /first {2}InProgress[^]*last {2}Pending[^]*sprint +open {2}active/;
    await vi.waitFor(() => expect(text.said()).toMatch(all), WAIT);
    await vi.waitFor(() => expect(json.said().split('\n')).toHaveLength(6), WAIT);
    await world.said('assign-human', 'last');
    await world.said('tick');
    await vi.waitFor(() => expect(text.said()).toMatch(/last {2}Pending → HumanAssigned/), WAIT);
    await vi.waitFor(() => expect(json.said()).toMatch(/"task_id":"last","from":"Pending"/), WAIT);

    text.kill('SIGINT');
    json.kill('SIGINT');
    const ended = await Promise.all([text.ended, json.ended]);
    for (const { code, stdout, stderr } of ended) {
      expect(code).toBe(130);
      expect(stderr).toContain('interrupted: the sprint goes on');
      expect(stdout).not.toContain('\u001b');
    }
    const lines = ended[1].stdout.split('\n').map((line) => z.looseObject({}).parse(JSON.parse(line)));
    expect(lines.at(-1)).toMatchObject({ ok: true, data: { sprint_id: 'open', status: 'active' } });
  });

  refuses([
    [['status', '--watch', '--sprint', 'none'], /SPRINT_UNKNOWN/],
    [['status', '--watch', '--sprint', '../x'], /CLI_USAGE/],
  ]);
});

describe('when the shell was killed', () => {
  it('the log of an agent is followed from its file until the agent ends', async () => {
    const { agent_id, pid } = await agentOf('third');
    process.kill(world.shell.pid, 'SIGKILL');
    const following = going('logs', '-f', agent_id);
    await vi.waitFor(() => expect(following.said()).toContain('third begins'), WAIT);
    process.kill(pid, 'SIGKILL');
    expect(await following.ended).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('ended; no shell was there to see how'),
    });
    expect((await world.caloron('show', 'third')).stdout).toMatch(
      new RegExp(`pid ${pid} is gone[^]*no process of it runs: the shell settles it`),
    );
  });
});
