import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { git } from '@caloron/capabilities/git';
import {
  CredentialReply,
  ErrorReply,
  HeartbeatReply,
  type Report,
  SpawnReply,
  StatusReply,
  StopReply,
} from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { RunningShell } from './start.ts';
import {
  createFixture,
  eventually,
  type Fixture,
  FORGE_TOKEN,
  REVIEWER_TOKEN,
  SHELL_TOKEN,
  spawnOf,
} from './testing/fixture.ts';

let fixture: Fixture;
let shell: RunningShell;

beforeEach(async () => {
  fixture = await createFixture();
  shell = await fixture.start();
  await fixture.kickoff();
});
afterEach(() => fixture.close());

function post(
  url: string,
  payload: object | string,
  token: string | null = SHELL_TOKEN,
  type = 'application/json',
) {
  const headers = { 'content-type': type, ...(token === null ? {} : { 'x-caloron-token': token }) };
  return shell.app.inject({ method: 'POST', url, headers, payload });
}

function get(url: string, token: string | null = SHELL_TOKEN) {
  return shell.app.inject({
    method: 'GET',
    url,
    headers: token === null ? {} : { 'x-caloron-token': token },
  });
}

async function spawned(changes: Parameters<typeof spawnOf>[0] = {}): Promise<SpawnReply> {
  const response = await post('/spawn', spawnOf(changes));
  expect(response.json()).toMatchObject({ ok: true });
  return SpawnReply.parse(response.json());
}

const waiting = JSON.stringify({ wait: true });

const ended = (process_id: string) =>
  eventually(() => fixture.store.processes.get(process_id)?.exit ?? undefined);

describe('a request', () => {
  it('gets health without a token, with the id of the database', async () => {
    const response = await get('/health', null);

    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({ ok: true, db_id: fixture.store.db_id, version: '0.1.0' });
  });

  it.each([
    ['/spawn', null],
    ['/stop', 'wrong'],
    ['/heartbeat', ''],
    ['/report', `${SHELL_TOKEN}x`],
    ['/credential', null],
    ['/cleanup', 'x'],
  ])('is refused at %s with token %j by 401', async (url, token) => {
    const response = await post(url, {}, token);

    expect(response.statusCode).toBe(401);
    expect(response.json()).toMatchObject({ ok: false, code: 'TOKEN_INVALID' });
  });

  it('that is not JSON is refused with 400', async () => {
    const response = await post('/spawn', '{"sprint_id":');

    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ ok: false, code: 'REQUEST_NOT_JSON' });
  });

  it('of another content type is refused with 415', async () => {
    const response = await post('/spawn', 'hello', SHELL_TOKEN, 'text/plain');

    expect(response.statusCode).toBe(415);
    expect(response.json()).toMatchObject({ ok: false, code: 'REQUEST_TYPE_UNSUPPORTED' });
  });

  it('larger than 1 MiB is refused with 413', async () => {
    const response = await post('/heartbeat', { status: 'x'.repeat(1024 * 1024) });

    expect(response.statusCode).toBe(413);
    expect(response.json()).toMatchObject({ ok: false, code: 'REQUEST_TOO_LARGE' });
  });

  it('5.6.16 comes from this machine alone, unless the config says where else to listen', async () => {
    // Loopback has many addresses; who listens on one of them is not found at another.
    const elsewhere = (): string => shell.url.replace('127.0.0.1', '127.0.0.2');
    await expect(fetch(`${elsewhere()}/health`)).rejects.toThrow('fetch failed');

    await shell.close();
    shell = await fixture.start({ host: '0.0.0.0' });

    expect((await fetch(`${elsewhere()}/health`)).status).toBe(200);
    expect((await fetch(`${elsewhere()}/status`)).status).toBe(401);
  });

  it('O8 for no route is refused with 404', async () => {
    const response = await get('/nothing?token=secret');

    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({
      ok: false,
      code: 'ROUTE_UNKNOWN',
      error: 'no route GET /nothing',
    });
  });

  it('with several bad fields is refused with all of them', async () => {
    const response = await post('/spawn', {
      sprint_id: '../x',
      task_id: 'T',
      agent_id: '',
      repo: 'acme/widgets',
    });

    expect(response.statusCode).toBe(400);
    const { code, error } = ErrorReply.parse(response.json());
    expect(code).toBe('REQUEST_INVALID');
    expect(error).toMatch(/sprint_id.*task_id.*agent_id/s);
  });

  it('with one bad field is refused with it once', async () => {
    const body = { sprint_id: 's1', task_id: 't', agent_id: 'a', repo: 'acme/../widgets' };
    const { error } = ErrorReply.parse((await post('/spawn', body)).json());
    expect(error.match(/repo: /g)).toHaveLength(1);
  });

  it.each(['..', '../elsewhere', '/tmp', '.caloron', '.caloron/worktrees/../repos', '.caloron/worktrees\0'])(
    'to put worktrees in %j is refused with 400',
    async (worktree_base) => {
      const response = await post('/spawn', spawnOf({ worktree_base }));

      expect(response.statusCode).toBe(400);
      expect(response.json()).toMatchObject({ code: 'REQUEST_INVALID' });
    },
  );
});

describe('POST /spawn', () => {
  it('5.6.2 5.6.3 starts the harness in a worktree on the task branch, at the base the forge has', async () => {
    const reply = await spawned({ instruction: waiting });

    const { order, cwd } = await fixture.seen(reply.process_id);
    expect(reply).toMatchObject({ branch: 'caloron/s1/t1', base_sha: fixture.base_sha, existing: false });
    expect(reply.worktree).toBe(join(fixture.home, '.caloron/worktrees/s1/t1'));
    expect(cwd).toBe(reply.worktree);
    expect(readFileSync(join(reply.worktree, 'README.md'), 'utf8')).toBe('widgets\n');
    const status = await git(['status', '--porcelain', '--branch'], { cwd: reply.worktree });
    expect(status.stdout).toBe('## caloron/s1/t1');
    expect(order).toMatchObject({
      process_id: reply.process_id,
      role: 'author',
      mode: 'start',
      attempt: 1,
      task: { id: 't1', issue_number: 7 },
      clone_url: fixture.remote,
      worktree: reply.worktree,
      base_sha: fixture.base_sha,
      head_sha: null,
      shell_url: shell.url,
      conventions: 'Be kind.',
      heartbeat_ms: 60_000,
    });
  });

  it('writes the row before the fork and the pid after it', async () => {
    const reply = await spawned({ instruction: waiting });

    const row = fixture.store.processes.get(reply.process_id);
    expect(row).toMatchObject({ state: 'running', pid: reply.pid, pgid: reply.pid, agent_id: 'agent-1' });
    expect(row?.start_ticks).toMatch(/^\d+$/);
  });

  it('5.6.15 A9 G19 gives the agent no secret but the keys of its framework', async () => {
    const reply = await spawned({ instruction: waiting });

    const { env, argv } = await fixture.seen(reply.process_id);
    expect(env).toMatchObject({
      ANTHROPIC_API_KEY: 'model-key',
      EXTRA: 'wanted',
      CALORON_PROCESS_ID: reply.process_id,
    });
    const names = Object.keys(env);
    for (const name of [
      'CALORON_SHELL_TOKEN',
      'CALORON_FORGE_TOKEN',
      'CALORON_REVIEWER_TOKEN',
      'GITHUB_TOKEN',
    ]) {
      expect(names).not.toContain(name);
    }
    for (const name of ['OPENAI_API_KEY', 'DATABASE_PASSWORD', 'NODE_OPTIONS'])
      expect(names).not.toContain(name);
    expect(JSON.stringify([env, argv])).not.toContain(FORGE_TOKEN);
  });

  it('keeps the order readable for this user alone and no forge token in it', async () => {
    const reply = await spawned({ instruction: waiting });

    const { order } = await fixture.seen(reply.process_id);
    const dir = join(fixture.home, '.caloron/agents', reply.process_id);
    expect(existsSync(join(dir, 'order.json'))).toBe(false);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(JSON.stringify(order)).not.toMatch(/secret/);
  });

  it('answers the same action with the same process', async () => {
    const action_id = 'a'.repeat(32);
    const first = await spawned({ action_id, instruction: waiting });

    const second = await spawned({ action_id, instruction: waiting });

    expect(second).toEqual({ ...first, existing: true });
    expect(fixture.store.processes.list('s1')).toHaveLength(1);
  });

  it('D2 starts one process when the same action comes twice at once', async () => {
    const action_id = 'b'.repeat(32);

    const replies = await Promise.all([1, 2, 3].map(() => spawned({ action_id, instruction: waiting })));

    expect(new Set(replies.map(({ process_id }) => process_id)).size).toBe(1);
    expect(replies.filter(({ existing }) => !existing)).toHaveLength(1);
  });

  it('answers an action whose process has ended with its record', async () => {
    const action_id = 'c'.repeat(32);
    const first = await spawned({ action_id });
    await ended(first.process_id);

    const second = await spawned({ action_id });

    expect(second).toEqual({ ...first, existing: true });
  });

  it('refuses an agent that is busy with another task with 409', async () => {
    await spawned({ instruction: waiting });

    const response = await post('/spawn', spawnOf({ task_id: 't2' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'AGENT_BUSY', retryable: true });
  });

  it('starts one of two actions for one agent that come at once', async () => {
    const responses = await Promise.all([
      post('/spawn', spawnOf({ instruction: waiting })),
      post('/spawn', spawnOf({ task_id: 't2', instruction: waiting })),
    ]);

    expect(responses.map(({ statusCode }) => statusCode).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });

  it('D2 refuses a second agent for a task whose first lives with 409', async () => {
    await spawned({ instruction: waiting });

    const response = await post('/spawn', spawnOf({ agent_id: 'agent-2' }));

    expect(response.statusCode).toBe(409);
    expect(response.json()).toMatchObject({ code: 'TASK_BUSY', retryable: true });
  });

  it.each([
    [{ sprint_id: 's2' }, 404, 'SPRINT_UNKNOWN'],
    [{ task_id: 't9' }, 404, 'TASK_UNKNOWN'],
    [{ task_id: 'constructor' }, 404, 'TASK_UNKNOWN'],
    [{ repo: 'acme/gadgets' }, 409, 'REPO_MISMATCH'],
  ])('5.6.9 refuses %j with %i %s', async (changes, status, code) => {
    const response = await post('/spawn', spawnOf(changes));

    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({ ok: false, code });
  });

  it('5.6.9 refuses a sprint whose token variable is not set with 503 and its name', async () => {
    const { CALORON_FORGE_TOKEN: _, ...env } = fixture.config.env;
    await shell.close();
    shell = await fixture.start({ env });

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBe(503);
    expect(response.json()).toMatchObject({ code: 'CREDENTIAL_MISSING' });
    expect(ErrorReply.parse(response.json()).error).toContain('CALORON_FORGE_TOKEN');
  });

  it('refuses a token variable that is not on the list with 403', async () => {
    await shell.close();
    shell = await fixture.start({ token_envs: ['GITHUB_TOKEN'] });

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({ code: 'CREDENTIAL_NOT_ALLOWED' });
  });

  it('5.5.12 gives no token to a sprint on another host than it belongs to', async () => {
    const env = {
      ...fixture.config.env,
      CALORON_TOKEN_HOSTS: 'CALORON_FORGE_TOKEN=https://git.example.test',
    };
    await shell.close();
    shell = await fixture.start({ env });

    const response = await post('/spawn', spawnOf());

    expect(response.statusCode).toBe(403);
    expect(response.json()).toMatchObject({ code: 'CREDENTIAL_OTHER_HOST', retryable: false });
    expect(ErrorReply.parse(response.json()).error).toMatch(
      /CALORON_FORGE_TOKEN belongs to https:\/\/git\.example\.test and .* http:\/\/127\.0\.0\.1:9/,
    );
  });

  it('5.6.1 takes all that a harness prints: more than a pipe holds keeps it from nothing', async () => {
    const { process_id } = await spawned({ instruction: JSON.stringify({ prints: 1024 * 1024 }) });

    expect(await ended(process_id)).toMatchObject({ code: 0, known: true });
    const log = readFileSync(join(fixture.home, '.caloron/agents', process_id, 'harness.log'), 'utf8');
    expect(log.match(/x{1048576}/g)).toHaveLength(2);
    expect(log).toContain('working on t1');
  });

  it('5.6.14 records a harness that ends at once with its code', async () => {
    const { process_id } = await spawned({ instruction: JSON.stringify({ code: 3 }) });

    expect(await ended(process_id)).toMatchObject({ code: 3, signal: null, known: true });
    const kinds = fixture.store.events.read({ after: 0, kinds: ['agent_exited'] });
    expect(kinds.map(({ event_id }) => event_id)).toEqual([`agent_exited:${process_id}`]);
  });
});

describe('an agent', () => {
  async function agent(changes: Parameters<typeof spawnOf>[0] = {}) {
    const reply = await spawned({ instruction: waiting, ...changes });
    const { order } = await fixture.seen(reply.process_id);
    return { ...reply, token: order.agent_token };
  }

  const reportOf = (process_id: string): Report => ({
    sprint_id: 's1',
    task_id: 't1',
    agent_id: 'agent-1',
    process_id,
    role: 'author',
    attempt: 1,
    outcome: 'completed',
    head_sha: fixture.base_sha,
    pr_number: 3,
    exit: { code: 0, signal: null, at: '2026-04-14T08:31:00.000Z', known: true },
    tokens_used: 10,
    duration_ms: 5,
    body: 'done',
    receipt: null,
    feedback: null,
    synthetic: false,
  });

  it('5.6.4 beats with its own token and is seen in the status', async () => {
    const { token, process_id } = await agent();

    const response = await post(
      '/heartbeat',
      { sprint_id: 's1', agent_id: 'agent-1', tokens_used: 42 },
      token,
    );

    expect(HeartbeatReply.parse(response.json())).toEqual({ ok: true, command: null, message: null });
    const { agents } = StatusReply.parse((await get('/status')).json());
    expect(agents).toMatchObject([{ agent_id: 'agent-1', process_id, alive: true, tokens_used: 42 }]);
    expect(agents[0]?.last_heartbeat).not.toBeNull();
    expect(agents[0]?.last_heartbeat).toBe(agents[0]?.last_heartbeat_at);
  });

  it('G1 whose beat was sent before the shell listened is not heard since', async () => {
    const { token } = await agent();

    const sent_at = '2026-01-01T00:00:00.000Z';
    await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-1', sent_at }, token);

    const { agents, listening_since } = StatusReply.parse((await get('/status')).json());
    expect(agents[0]?.last_heartbeat).toBe(listening_since);
  });

  it('5.6.10 is heard while git does not come to an end for another', async () => {
    const { token } = await agent();
    const at = (name: string): string => join(fixture.remote, name);
    renameSync(at('HEAD'), at('kept'));
    execFileSync('mkfifo', [at('HEAD')]);
    let answered = false;
    const second = post('/spawn', spawnOf({ task_id: 't2', agent_id: 'agent-2' })).finally(() => {
      answered = true;
    });

    for (let n = 0; n < 3; n += 1) {
      const beat = await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-1' }, token);
      expect(HeartbeatReply.parse(beat.json()).ok).toBe(true);
      await delay(50);
    }

    expect(answered).toBe(false);
    renameSync(at('HEAD'), at('pipe'));
    renameSync(at('kept'), at('HEAD'));
    writeFileSync(at('pipe'), 'ref: refs/heads/main\n');
    expect((await second).statusCode).toBe(200);
  });

  it('that was never spawned is refused with 404', async () => {
    const response = await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-5' });

    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ ok: false, code: 'AGENT_UNKNOWN' });
  });

  it('may not beat for another, see the status or ask for what the scheduler may, with 403', async () => {
    const { token } = await agent();

    const beat = await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-2' }, token);
    expect(beat.statusCode).toBe(403);
    expect(beat.json()).toMatchObject({ code: 'TOKEN_FORBIDDEN' });
    for (const url of ['/spawn', '/stop', '/cleanup', '/nudge']) {
      const asked = await post(url, spawnOf({ task_id: 't2', agent_id: 'agent-2' }), token);
      expect(asked.statusCode, url).toBe(403);
    }
    for (const url of ['/status', '/agents/agent-1/logs'])
      expect((await get(url, token)).statusCode, url).toBe(403);
  });

  it('gets a queued message once', async () => {
    const { token } = await agent();
    await post('/nudge', { sprint_id: 's1', agent_id: 'agent-1', message: 'Still there?' });
    const beat = () => post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-1' }, token);

    expect((await beat()).json()).toEqual({ ok: true, command: 'nudge', message: 'Still there?' });
    expect((await beat()).json()).toEqual({ ok: true, command: null, message: null });
  });

  it('is told to stop once its process counts as ended', async () => {
    const { token, process_id } = await agent();
    await post('/stop', { process_id, grace_ms: 1000 });

    const response = await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-1' }, token);

    expect(response.json()).toMatchObject({ ok: true, command: 'stop' });
  });

  it.each(['Done', 'Cancelled', 'HumanAssigned'] as const)(
    'A12 whose program has ended is told to stop when its task is %s, and keeps what it was to be told otherwise',
    async (status) => {
      const { token } = await agent();
      const turnEnded = async (): Promise<HeartbeatReply> => {
        const beat = { sprint_id: 's1', agent_id: 'agent-1', turn_ended: true };
        return HeartbeatReply.parse((await post('/heartbeat', beat, token)).json());
      };
      await post('/nudge', { sprint_id: 's1', agent_id: 'agent-1', message: 'Still there?' });
      expect(await turnEnded()).toEqual({ ok: true, command: null, message: null });

      await fixture.becomes('t1', { status });

      expect(await turnEnded()).toEqual({ ok: true, command: 'stop', message: `task t1 is ${status}` });
      const next = await post('/heartbeat', { sprint_id: 's1', agent_id: 'agent-1' }, token);
      expect(next.json()).toMatchObject({ command: 'nudge' });
    },
  );

  it('reports once however often it says so', async () => {
    const { token, process_id } = await agent();

    const first = await post('/report', reportOf(process_id), token);
    const second = await post('/report', reportOf(process_id), token);

    expect([first.statusCode, second.statusCode]).toEqual([200, 200]);
    const rows = fixture.store.events.read({ after: 0, kinds: ['agent_reported'] });
    expect(rows).toMatchObject([
      {
        event_id: `agent_reported:${process_id}`,
        actor: 'agent-1',
        payload: { trusted: true, report: { pr_number: 3 } },
      },
    ]);
  });

  it('may report for no other process, task, role or attempt, with 403', async () => {
    const { token, process_id } = await agent();

    for (const changes of [
      { task_id: 't2' },
      { process_id: 'other' },
      { role: 'reviewer' as const },
      { attempt: 2 },
      { sprint_id: 's2' },
    ]) {
      const response = await post('/report', { ...reportOf(process_id), ...changes }, token);
      expect(response.statusCode, JSON.stringify(changes)).toBe(403);
    }
    expect(fixture.store.events.read({ after: 0, kinds: ['agent_reported'] })).toEqual([]);
  });

  it('A8 gets the forge token of its role when it asks', async () => {
    const head = await fixture.commit('caloron/s1/t1', { 'a.txt': 'a\n' });
    const author = await agent();
    const reviewer = await agent({ agent_id: 'agent-9', role: 'reviewer', head_sha: head });

    const [one, two] = await Promise.all(
      [author, reviewer].map(async ({ token }) =>
        CredentialReply.parse((await post('/credential', { purpose: 'push' }, token)).json()),
      ),
    );

    expect(one).toMatchObject({ username: 'x-access-token', token: FORGE_TOKEN });
    expect(two).toMatchObject({ username: 'x-access-token', token: REVIEWER_TOKEN });
  });

  it('alone may ask for a credential or report', async () => {
    expect((await post('/credential', { purpose: 'api' })).statusCode).toBe(403);
    expect((await post('/report', {})).statusCode).toBe(403);
  });

  it('5.6.6 has its log shown from the end', async () => {
    const { process_id } = await agent();
    await eventually(() => existsSync(join(fixture.home, '.caloron/agents', process_id, 'seen.json')));

    const response = await get('/agents/agent-1/logs?tail=1');

    expect(response.headers['content-type']).toContain('text/plain');
    expect(response.body).toBe('working on t1\n');
  });

  it('without any process has no log: 404', async () => {
    expect((await get('/agents/agent-7/logs')).statusCode).toBe(404);
    expect((await get('/agents/..%2f..%2fetc/logs')).statusCode).toBe(400);
    expect((await get('/agents/agent-1/logs?tail=0')).statusCode).toBe(400);
  });
});

describe('POST /stop', () => {
  const stop = (process_id: string, grace_ms = 3000) => post('/stop', { process_id, grace_ms });

  it('5.6.6 ends the process, saves its uncommitted work and says where', async () => {
    const { process_id, pid, worktree } = await spawned({
      instruction: JSON.stringify({ wait: true, write: { 'new.txt': 'unfinished\n' } }),
    });
    await fixture.seen(process_id);

    const reply = StopReply.parse((await stop(process_id)).json());

    expect(reply.exit).toMatchObject({ code: null, signal: 'SIGTERM', known: true });
    expect(reply.wip_ref).toBe('refs/caloron/wip/s1/t1/1');
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    const saved = await git(['show', 'refs/caloron/wip/s1/t1/1:new.txt'], { cwd: worktree });
    expect(saved.stdout).toBe('unfinished');
  });

  it('kills a process that does not listen, and what it left running', async () => {
    const { process_id, pid } = await spawned({
      instruction: JSON.stringify({ wait: true, deaf: true, child: true }),
    });
    await fixture.seen(process_id);

    const reply = StopReply.parse((await stop(process_id, 100)).json());

    expect(reply).toMatchObject({ exit: { signal: 'SIGKILL' }, wip_ref: null });
    expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect((await post('/spawn', spawnOf())).statusCode).toBe(200);
  });

  it('answers an ended process with how it ended', async () => {
    const { process_id } = await spawned({ instruction: JSON.stringify({ code: 4 }) });
    await ended(process_id);

    const [first, second] = [await stop(process_id), await stop(process_id)];

    expect(first.json()).toMatchObject({ ok: true, exit: { code: 4 } });
    expect(second.json()).toEqual(first.json());
  });

  it('refuses an unknown process with 404', async () => {
    const response = await stop('nobody');

    expect(response.statusCode).toBe(404);
    expect(response.json()).toMatchObject({ code: 'PROCESS_UNKNOWN' });
  });

  it('leaves the agent free for its next task', async () => {
    const { process_id } = await spawned({ instruction: waiting });
    await stop(process_id);

    const reply = await spawned({ task_id: 't2', instruction: waiting });

    expect(reply.worktree).toBe(join(fixture.home, '.caloron/worktrees/s1/t2'));
  });
});
