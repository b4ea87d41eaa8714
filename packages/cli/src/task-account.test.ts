import { type DagState, newTask, type ProcessRow, type Report, type Task } from '@caloron/types';
import { openStore, type Store } from '@caloron/store';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { accountText } from './task-account.ts';
import { attemptsOf } from './task-attempts.ts';
import { decisionsOf } from './task-decisions.ts';
import { type Evidence, evidenceOf, receiptsOf } from './task-evidence.ts';
import { spanWords } from './time-words.ts';
import { nextSteps } from './task-next.ts';

const SHA = 'a'.repeat(40);
const T0 = Date.parse('2026-01-02T03:00:00.000Z');
const ACTION = { action_id: '1'.repeat(32), cause: 'c', sprint_id: 's1', task_id: 't1', agent_id: 'agent-1' };

let dir: string;
let store: Store;
let now: string;
let uuids = 0;
const at = (minutes: number): string => (now = new Date(T0 + minutes * 60_000).toISOString());
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'caloron-account-'));
  at(0);
  store = openStore(join(dir, 'caloron.db'), { clock: { now: () => now }, uuid: () => `u${(uuids += 1)}` });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true, force: true });
});

const task: Task = {
  ...newTask(
    's1',
    { id: 't1', title: 'Title', description: '', depends_on: [], agent_id: 'agent-1', reviewer_id: 'r-1' },
    new Date(T0).toISOString(),
  ),
  status: 'InProgress',
};

/** A running sprint with these tasks, as far as an account reads it. */
function stateOf(tasks: DagState['tasks']): DagState {
  const sprint = { framework: 'stub', framework_options: {} } as DagState['sprint'];
  return { v: 1, sprint_id: 's1', sprint, order: Object.keys(tasks), tasks, status: 'active' };
}

function row(process_id: string, attempt: number, given: Partial<ProcessRow> = {}): ProcessRow {
  return {
    process_id,
    action_id: `action-${process_id}`,
    agent_id: 'agent-1',
    sprint_id: 's1',
    task_id: 't1',
    role: 'author',
    mode: 'start',
    attempt,
    pid: null,
    start_ticks: null,
    boot_id: 'b',
    pid_ns: 'n',
    pgid: null,
    worktree: '/w',
    branch: 'b',
    base_sha: SHA,
    log_file: '/l',
    state: 'spawning',
    exit: null,
    ...given,
  };
}

async function report(process_id: string, given: Partial<Report>): Promise<void> {
  const exit = { code: 1, signal: null, at: now, known: true };
  await store.events.appendEvent('s1', {
    type: 'agent_reported',
    event_id: `agent_reported:${process_id}`,
    created_at: now,
    actor: 'agent-1',
    trusted: true,
    report: {
      process_id,
      agent_id: 'agent-1',
      sprint_id: 's1',
      task_id: 't1',
      role: 'author',
      attempt: 1,
      outcome: 'failed',
      body: '',
      head_sha: SHA,
      pr_number: null,
      exit,
      tokens_used: 120,
      duration_ms: 4 * 60_000,
      receipt: null,
      feedback: null,
      synthetic: false,
      ...given,
    },
  });
}

/** An attempt that failed at minute 5, one that works since minute 6 and beat at minute 9. */
async function twoAttempts(): Promise<void> {
  await store.processes.begin(row('p1', 1), 'h1');
  await store.processes.running('p1', { pid: 11, start_ticks: '1', pgid: 11 });
  at(5);
  await report('p1', {});
  await store.processes.settle('p1', { code: 1, signal: null, at: now, known: true }, 'exited');
  at(6);
  await store.processes.begin(row('p2', 2, { mode: 'resume' }), 'h2');
  await store.processes.running('p2', { pid: 12, start_ticks: '1', pgid: 12 });
  await store.processes.begin(row('other', 1, { task_id: 't2', agent_id: 'agent-2' }), 'h3');
  const beat = { status: 'working', tokens_used: 7, progress_at: at(8), next_by: at(30) };
  const agent = { sprint_id: 's1', agent_id: 'agent-1', process_id: 'p2' };
  await store.processes.beat(agent, beat, at(9));
}

const known = () => ({
  log: store.events.read({ after: 0, sprint_id: 's1' }),
  processes: store.processes.list('s1'),
  agents: store.processes.agents('s1'),
});

describe('the account of a task', () => {
  it('tells of each process when it was started, how it ended and what it gave', async () => {
    await twoAttempts();
    expect(attemptsOf('t1', known())).toMatchObject([
      {
        process_id: 'p1',
        started_at: new Date(T0 + 60_000).toISOString(),
        ended_at: new Date(T0 + 5 * 60_000).toISOString(),
        exit: { code: 1 },
        outcome: 'failed',
        tokens_used: 120,
        head_sha: SHA,
      },
      {
        process_id: 'p2',
        started_at: new Date(T0 + 6 * 60_000).toISOString(),
        ended_at: null,
        outcome: null,
        tokens_used: 7,
        head_sha: null,
      },
    ]);
  });

  it('tells why each of three runs failed in its own way, where the row of its process stands', async () => {
    for (const [n, given, exit] of [
      [1, { outcome: 'failed', body: 'stub ended with exit code 3.\nmore' }, { code: 3, signal: null }],
      [2, { outcome: 'timeout', body: 'it took longer than 60 s' }, { code: 1, signal: null }],
      [3, undefined, { code: null, signal: 'SIGKILL' }],
      [4, { outcome: 'changes_requested', body: 'Rename it.', role: 'reviewer' }, { code: 0, signal: null }],
      [5, { outcome: 'completed', head_sha: 'b'.repeat(40) }, { code: 0, signal: null }],
      [6, { outcome: 'completed', head_sha: 'b'.repeat(40) }, { code: 0, signal: null }],
      [7, { outcome: 'completed', head_sha: 'c'.repeat(40) }, { code: 0, signal: null }],
    ] as const) {
      await store.processes.begin(row(`q${n}`, n), `h${n}`);
      at(n);
      if (given !== undefined) await report(`q${n}`, given);
      await store.processes.settle(`q${n}`, { ...exit, at: now, known: true }, 'exited');
    }
    const attempts = attemptsOf('t1', known());
    expect(attempts.map(({ why }) => why)).toEqual([
      'stub ended with exit code 3.',
      'it took longer than 60 s',
      null,
      'Rename it.',
      null,
      'no change: its head is still bbbbbbbb',
      null,
    ]);
    expect(
      decisionsOf(task, { log: known().log, outbox: [], attempts }).map(({ reason, code }) => [reason, code]),
    ).toEqual([
      ['author 1: stub ended with exit code 3.', 'crash'],
      ['author 2: it took longer than 60 s', 'timeout'],
      ['author 6: no change: its head is still bbbbbbbb', 'no_changes'],
    ]);
    const text = accountText({ task, attempts, evidence: [], decisions: [], next: [], story: [] }, now);
    expect(text).toMatch(/ process +why\n/);
    expect(text).toMatch(/exit 3 +failed .* q1 +stub ended with exit code 3\.\n/);
    expect(text).toMatch(/exit 1 +timeout .* q2 +it took longer than 60 s\n/);
    expect(text).toMatch(/SIGKILL +- .* q3\n/);
  });

  it('shows what was proven of which head, and how far the base has moved on', async () => {
    await twoAttempts();
    const proof = { command: ['npm', 'test'], exit_code: 0, duration_ms: 1500, log_sha256: 'f'.repeat(64) };
    const receipt = { ...proof, commit: SHA, tail: '', tree_sha: 'c'.repeat(40), void: 'changed: a.ts' };
    await report('r1', { role: 'reviewer', receipts: [receipt], receipt });
    const drift = { head_sha: SHA, behind: 3, base_head: 'd'.repeat(40), at: now };
    const receipts = receiptsOf('t1', known());
    const about = { attempts: [], evidence: [], receipts, decisions: [], next: [], story: [] };
    const text = accountText({ ...about, task: { ...task, head_sha: SHA, drift } }, now);

    expect(text).toContain('base -; its base branch is 3 commits ahead of the head');
    expect(text).toMatch(
      /receipts\n {2}npm test: exit 0 on aaaaaaaa, tree cccccccc in 1500 ms, log ffffffff, proves nothing: changed: a\.ts\n?$/,
    );
    expect(accountText({ ...about, task: { ...task, head_sha: 'b'.repeat(40), drift } }, now)).toContain(
      'of another head: does not count',
    );
  });

  it('tells the last heartbeat, and the last progress with its kind, of the process at work', async () => {
    await twoAttempts();
    const evidence = (): ReturnType<typeof evidenceOf> =>
      evidenceOf(task, attemptsOf('t1', known()), known(), (id) => id === 'p2');
    expect(evidence()).toMatchObject([
      {
        process_id: 'p2',
        alive: true,
        last_heartbeat_at: new Date(T0 + 9 * 60_000).toISOString(),
        last_progress: { kind: 'activity', at: new Date(T0 + 8 * 60_000).toISOString() },
        next_by: new Date(T0 + 30 * 60_000).toISOString(),
      },
    ]);
    at(10);
    await report('p2', { outcome: 'completed' });
    await store.processes.settle('p2', { code: 0, signal: null, at: now, known: true }, 'exited');
    expect(evidence()).toMatchObject([
      { process_id: 'p2', ended: true, last_progress: { kind: 'report', at: now } },
    ]);
  });

  it('tells the decisions with their reasons, codes and the time of the next attempt', async () => {
    const probe = {
      ...ACTION,
      type: 'supervisor',
      action: 'probe',
      reason: 'no progress for 25 minutes',
      message: 'm',
    } as const;
    const merge = {
      ...ACTION,
      action_id: '2'.repeat(32),
      type: 'merge_pr',
      pr_number: 3,
      head_sha: SHA,
    } as const;
    const queue = store.forRun({ run_id: 'r', lease: null }).outbox;
    await queue.intend([probe]);
    await queue.start(probe.action_id);
    await queue.succeed(probe.action_id, {});
    at(1);
    await queue.intend([merge]);
    const error = { code: 'FORGE_UNREACHABLE', message: 'no answer', retryable: true };
    for (const minute of [2, 4]) {
      at(minute);
      await queue.start(merge.action_id);
      await queue.fail(merge.action_id, error, new Date(T0 + (minute + 1) * 60_000).toISOString());
    }
    at(6);
    await store.events.appendEvent('s1', {
      type: 'human_command',
      event_id: 'h1',
      created_at: now,
      actor: 'cli',
      trusted: true,
      task_id: 't1',
      word: 'resolved',
    });
    const decisions = decisionsOf(task, { log: known().log, outbox: store.outboxRows('s1'), attempts: [] });
    expect(decisions).toMatchObject([
      { what: 'probe', reason: 'no progress for 25 minutes', state: 'done', code: null, next_at: null },
      { what: 'retry', code: 'FORGE_UNREACHABLE', reason: 'merge_pr: no answer', next_at: null },
      { what: 'retry', state: 'failed', next_at: new Date(T0 + 5 * 60_000).toISOString() },
      { what: 'word', reason: 'resolved (cli)' },
    ]);
    expect(
      decisionsOf({ ...task, id: 't2' }, { log: known().log, outbox: store.outboxRows('s1'), attempts: [] }),
    ).toEqual([]);

    at(4);
    const state = stateOf({ t1: task });
    const situation = {
      task,
      state,
      paused: null,
      evidence: [],
      decisions,
      now,
      flags: { home: '', sprint: '' },
    };
    const wait = 'wait: what failed is tried again at 2026-01-02T03:05:00.000Z';
    expect(nextSteps(situation)).toEqual([wait]);
    const paused = { by: 'ada', at: now, stopped: false };
    expect(nextSteps({ ...situation, paused })).toEqual([
      `the sprint is paused by ada since ${now}: ./caloron resume s1 lets it go on`,
      wait,
    ]);
    const put_back = { action_id: 'a', reason: 'claimed: another orchestrator (home 1a2b3c4d, …)' };
    expect(nextSteps({ ...situation, task: { ...task, status: 'Ready', put_back }, decisions: [] })).toEqual([
      expect.stringMatching(/^nothing: it starts here by itself once that orchestrator gives the issue back/),
    ]);

    await twoAttempts();
    at(12);
    const attempts = attemptsOf('t1', known());
    const evidence = evidenceOf(task, attempts, known(), () => true);
    const text = accountText({ task, attempts, evidence, decisions, next: ['go\u001b[2J'], story: [] }, now);
    expect(text).toMatch(/^t1: Title\n {2}InProgress since/);
    expect(text).toMatch(
      /attempts\n {2}attempt .*\n {2}author 1 start .* 4 min .*exit 1 +failed +120 +aaaaaaaa +p1\n/,
    );
    expect(text).toMatch(/author 2 resume .* 6 min +running +- +7 +- +p2\n/);
    expect(text).toMatch(
      /evidence\n {2}agent-1: pid 12 runs, last heartbeat 3 min ago, last progress 4 min ago: output or/,
    );
    expect(text).toMatch(/probe +no progress for 25 minutes \[done\]\n/);
    expect(text).toMatch(
      /retry +merge_pr: no answer \[FORGE_UNREACHABLE; to be tried again; next at 2026-01-02T03:05/,
    );
    expect(text).not.toContain('what happened');
    expect(text).not.toContain('\u001b');
  });

  it('tells why an attempt ended, by class, and when the next one starts', async () => {
    await store.processes.begin(row('p1', 1), 'h1');
    at(5);
    const cause = {
      class: 'quota',
      until: null,
      provider: 'anthropic',
      sentence: 'usage limit reached',
    } as const;
    const exit = { code: 1, signal: null, at: now, known: true, cause };
    await report('p1', { exit });
    await store.processes.settle('p1', exit, 'exited');
    const attempts = attemptsOf('t1', known());
    const parked: Task = { ...task, retry_at: new Date(T0 + 20 * 60_000).toISOString() };
    const decided = (about: Task): ReturnType<typeof decisionsOf> =>
      decisionsOf(about, { log: known().log, outbox: [], attempts });
    expect(decided(parked)).toMatchObject([
      {
        at: now,
        what: 'retry',
        code: 'quota',
        reason: 'author 1: usage limit reached',
        next_at: parked.retry_at,
      },
    ]);
    // Where a person is asked instead, nothing is tried again.
    expect(decided({ ...parked, status: 'Blocked' })).toEqual([]);
    const account = { task: parked, attempts, evidence: [], decisions: decided(parked), next: [], story: [] };
    expect(accountText(account, now)).toMatch(
      /exit 1 \(quota\) [^]*retry +author 1: usage limit reached \[quota; next at 2026-01-02T03:20:00/,
    );
  });

  it('G4 says what holds it at its provider, and which word lifts that', () => {
    const until = new Date(T0 + 20 * 60_000).toISOString();
    const working = { ...task, status: 'InProgress', process_id: null } as const;
    const other: Task = { ...working, id: 't2', provider_limit: { provider: 'stub', until } };
    const state = stateOf({ t1: working, t2: other });
    const flags = { home: '', sprint: '' };
    const look = { task: working, state, paused: null, evidence: [], decisions: [], flags };

    expect(nextSteps({ ...look, now: at(1) })).toEqual([
      `wait: provider_limited: stub until ${until}; ./caloron resolve t2 once it serves again`,
    ]);
    expect(nextSteps({ ...look, now: at(21) })).toEqual([]);
  });

  it('G5 says how a sprint goes on whose budget is used up, and that an agent is about to pause', () => {
    const budget = {
      breaches: 0,
      breach: null,
      approved: null,
      agent: {},
      task: {},
      pausing: [{ process_id: 'p-1', at: at(1) }],
      from: null,
    };
    const there: Task = { ...task, process_id: 'p-1', budget };
    const over = [{ scope: 'sprint', kind: 'ms', limit: 60_000, used: 90_000 }] as const;
    const breach = { n: 1, at: at(1), task_id: 't1', over: [...over] };
    const state: DagState = {
      ...stateOf({ t1: there }),
      status: 'waiting_for_human',
      budget: { breaches: 1, breach, approved: null, sprint: {} },
    };
    const flags = { home: ' --home h', sprint: '' };
    const look = { task: there, state, paused: null, decisions: [], now: at(2), flags };
    expect(nextSteps({ ...look, evidence: [] })).toEqual([
      './caloron approve --sprint s1 --home h  (the sprint has used 1.5 min of 1 min: nothing starts before; it may use as much again)',
    ]);
    const evidence = { agent_id: 'agent-1', alive: true } as Evidence;
    expect(nextSteps({ ...look, evidence: [evidence] })[1]).toBe(
      'wait: its agent was told at 2026-01-02T03:01:00.000Z to pause after what it is at',
    );
  });

  it.each<readonly [Partial<Task>, readonly RegExp[]]>([
    [{ status: 'Done' }, []],
    [{ status: 'Cancelled' }, []],
    [
      { status: 'Pending', depends_on: ['constructor'] },
      [/waits for constructor: \.\/caloron show constructor --sprint s1 --home h$/],
    ],
    [{ status: 'Ready' }, [/caloron tick/]],
    [{ status: 'InReview', status_reason: 'waits_approval', pr_number: 4 }, [/^approve PR #4$/]],
    [{ status: 'InReview', status_reason: 'checks_red', pr_number: 4 }, [/checks of PR #4/]],
    [{ status: 'InReview', status_reason: 'draft', pr_number: 4 }, [/mark PR #4 as ready/]],
    [
      { status: 'InReview', status_reason: 'merge_blocked: no', pr_number: 4 },
      [/protection of the base branch.*PR #4 is merged by itself/],
    ],
    [
      { status: 'Blocked', escalation_issue: 9 },
      [/issue #9/, /resolve t1 --sprint s1 --home h /, /take-over t1/, /break-down t1/, /cancel t1/],
    ],
    [{ status: 'HumanAssigned' }, [/merge its pull request, or \.\/caloron resolve t1 --sprint s1/]],
  ])('says what a person can do where it stands as %j', (given, expected) => {
    const there = { ...task, ...given };
    const state = stateOf({ t1: there });
    const flags = { home: ' --home h', sprint: ' --sprint s1' };
    const steps = nextSteps({
      task: there,
      state,
      paused: null,
      evidence: [],
      decisions: [],
      now: at(1),
      flags,
    });
    expect(steps).toHaveLength(expected.length);
    expected.forEach((wanted, n) => expect(steps[n]).toMatch(wanted));
  });

  it('gives spans of time in words', () => {
    const words = [0, 119, 120, 7_199, 7_260].map((s) =>
      spanWords(new Date(T0).toISOString(), new Date(T0 + s * 1000).toISOString()),
    );
    expect(words).toEqual(['0 s', '119 s', '2 min', '119 min', '2 h 1 min']);
    expect(spanWords(at(5), new Date(T0).toISOString())).toBe('0 s');
  });
});
