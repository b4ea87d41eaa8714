import type { AgentInfo, Health, Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleState, exampleTask } from '../dag/example.ts';
import { checkAgentHealth } from './check_health.ts';
import { composeInterventionMessage } from './compose_message.ts';
import { decideIntervention } from './decide_intervention.ts';
import { freeAgent } from './free_agent.ts';

const NOW = '2026-04-14T09:00:00.000Z';

/** An instant some minutes before NOW. */
function ago(minutes: number): string {
  return new Date(Date.parse(NOW) - minutes * 60_000).toISOString();
}

function agent(change: Partial<AgentInfo> = {}): AgentInfo {
  return {
    sprint_id: 'login-20260414',
    task_id: 'a',
    role: 'author',
    process_id: 'p1',
    pid: 1,
    alive: true,
    status: 'working',
    task_started_at: ago(60),
    last_heartbeat_at: ago(0.5),
    last_progress_at: ago(1),
    next_by: null,
    tokens_used: 0,
    exit: null,
    ...change,
  };
}

function health(change: Partial<AgentInfo>): Health | undefined {
  const input = { agents: { 'agent-1': agent(change) }, now: NOW, stall_threshold_m: 20 };
  return checkAgentHealth.output.parse(checkAgentHealth.call(input, {})).results[0];
}

describe('check_agent_health', () => {
  const cases: readonly (readonly [string, Partial<AgentInfo>, Health['status']])[] = [
    ['one that shows progress', {}, 'healthy'],
    [
      'one that beats but shows no progress for longer than the threshold',
      { last_progress_at: ago(21) },
      'stalled',
    ],
    ['one at the threshold', { last_progress_at: ago(20) }, 'healthy'],
    ['one that said when it will show some', { last_progress_at: ago(30), next_by: ago(-5) }, 'healthy'],
    ['one whose promise has passed', { last_progress_at: ago(30), next_by: ago(1) }, 'stalled'],
    ['one that never showed any, by its start', { last_progress_at: null }, 'stalled'],
    ['one that was started lately', { last_progress_at: null, task_started_at: ago(5) }, 'healthy'],
    [
      'one without a first heartbeat after two minutes',
      { last_heartbeat_at: null, task_started_at: ago(2.1) },
      'missing',
    ],
    ['one without a first heartbeat before', { last_heartbeat_at: null, task_started_at: ago(2) }, 'healthy'],
    ['one whose process is gone', { alive: false }, 'dead'],
  ];

  it.each(cases)('judges %s', (_, change, status) => {
    expect(health(change)?.status).toBe(status);
  });

  it('counts whole minutes since progress, half to even', () => {
    expect(health({ last_progress_at: ago(25.9) })?.minutes_since).toBe(26);
    expect(health({ last_progress_at: ago(24.5) })?.minutes_since).toBe(24);
  });

  it('leaves out agents that are finished', () => {
    expect(health({ alive: false, status: 'finished' })).toBeUndefined();
  });

  it('D16 has nothing to say of no agents', () => {
    expect(checkAgentHealth.call({ now: NOW }, {})).toEqual({ results: [] });
  });
});

function decide(task: Partial<Task>, found: Partial<Health> = {}) {
  const state = exampleState([
    exampleTask('a', { status: 'InProgress', process_id: 'p1', issue_number: 1, ...task }),
  ]);
  const result: Health = {
    agent_id: 'agent-1',
    task_id: 'a',
    minutes_since: 25,
    status: 'stalled',
    last_progress_at: null,
    ...found,
  };
  const { decisions } = decideIntervention.output.parse(
    decideIntervention.call({ results: [result], state, now: NOW }, {}),
  );
  return decisions[0]?.action;
}

describe('decide_intervention', () => {
  it.each([
    [0, 'probe'],
    [1, 'restart'],
    [2, 'escalate_human'],
    [5, 'escalate_human'],
  ])('takes the rung after %i interventions: %s', (intervention_count, action) => {
    expect(decide({ intervention_count })).toBe(action);
  });

  it('begins the ladder anew after progress, and goes on from there', () => {
    const after = { intervention_count: 2, rung: 2, last_intervention_at: ago(60) };

    expect(decide(after, { last_progress_at: ago(30) })).toBe('probe');
    expect(
      decide(
        { ...after, intervention_count: 3, rung: 1, last_intervention_at: ago(20) },
        { last_progress_at: ago(30) },
      ),
    ).toBe('restart');
  });

  it('G1 does not begin the ladder anew for what a restarted agent shows before it hangs again', () => {
    const after = { intervention_count: 2, rung: 2, last_intervention_at: ago(60) };

    expect(decide(after, { last_progress_at: ago(59) })).toBe('escalate_human');
    expect(decide(after, { last_progress_at: ago(40) })).toBe('escalate_human');
    expect(decide(after, { last_progress_at: ago(39) })).toBe('probe');
    expect(decide({ ...after, rung: 1 }, { last_progress_at: ago(59) })).toBe('probe');
    // Its successor waited half an hour for room on the machine.
    const waited = { ...after, last_progress_at: ago(30) };
    expect(decide(waited, { last_progress_at: ago(29) })).toBe('escalate_human');
    expect(decide({ ...waited, last_intervention_at: ago(100) }, { last_progress_at: ago(9) })).toBe('probe');
  });

  it('waits until the last intervention has cooled down', () => {
    expect(decide({ intervention_count: 1, last_intervention_at: ago(9) })).toBeUndefined();
    expect(decide({ intervention_count: 1, last_intervention_at: ago(10) })).toBe('restart');
  });

  it.each(['dead', 'missing'] as const)('restarts a %s agent at once: it answers no probe', (status) => {
    expect(decide({}, { status })).toBe('restart');
  });

  it.each(['healthy', 'unknown'] as const)('leaves a %s agent alone', (status) => {
    expect(decide({ intervention_count: 2 }, { status })).toBeUndefined();
  });

  it.each([
    ['a task in review', { status: 'InReview' }],
    ['a task whose process is known to be over', { process_id: null }],
    ['a task of another agent', { agent_id: 'agent-2' }],
  ] as const)('leaves %s alone', (_, task) => {
    expect(decide(task)).toBeUndefined();
  });

  it('names the agent a task is given to: the first that is free in the order of the tasks', () => {
    const stalled = exampleTask('a', { status: 'InProgress', process_id: 'p1', issue_number: 1, rung: 2 });
    const c = exampleTask('c', { status: 'Done', agent_id: 'agent-3' });
    const b = exampleTask('b', { status: 'Done', agent_id: 'agent-2' });
    const found = { agent_id: 'agent-1', task_id: 'a', minutes_since: 45, status: 'stalled' } as const;
    const asked = exampleState([stalled, c, b]);
    // As a store gives it: by name.
    const state = { ...asked, tasks: { a: stalled, b, c } };

    expect(freeAgent([stalled, c, b], stalled)).toBe('agent-3');
    expect(decideIntervention.call({ results: [found], state, now: NOW }, {})).toMatchObject({
      decisions: [{ action: 'reassign', to: 'agent-3' }],
    });
  });

  it('ignores tasks it does not know, by whatever name', () => {
    expect(decide({}, { task_id: 'constructor' })).toBeUndefined();
  });
});

/** Drives an author through minutes of silence; gives what was decided, by minute. Its harness beats each minute, `evidence` are minutes with progress. */
function silence(
  minutes: number,
  evidence: readonly number[] = [],
  more: Partial<AgentInfo> = {},
): readonly string[] {
  const start = Date.parse(NOW);
  const at = (minute: number): string => new Date(start + minute * 60_000).toISOString();
  const decided: string[] = [];
  let task = exampleTask('a', { status: 'InProgress', process_id: 'p1', issue_number: 1 });
  for (let minute = 0; minute <= minutes; minute += 1) {
    const shown = evidence.filter((one) => one <= minute).at(-1);
    const info = agent({
      task_started_at: at(0),
      last_heartbeat_at: at(minute),
      last_progress_at: shown === undefined ? null : at(shown),
      ...more,
    });
    const now = at(minute);
    const { results } = checkAgentHealth.call(
      { agents: { 'agent-1': info }, now, stall_threshold_m: 20 },
      {},
    );
    const { decisions } = decideIntervention.call({ results, state: exampleState([task]), now }, {});
    for (const { action } of decisions) {
      decided.push(`${action} ${minute}`);
      task = { ...task, rung: (task.rung ?? 0) + 1, last_intervention_at: now };
    }
  }
  return decided;
}

describe('liveness by evidence', () => {
  it.each([
    [5, 'live'],
    [10, 'live'],
    [11, 'quiet'],
    [20, 'quiet'],
    [21, 'suspect'],
    [40, 'suspect'],
    [41, 'lost'],
  ] as const)('after %i minutes without progress is %s', (minutes, liveness) => {
    expect(health({ last_progress_at: ago(minutes) })?.liveness).toBe(liveness);
  });

  it.each([
    ['late with its first heartbeat', { last_heartbeat_at: null, task_started_at: ago(9) }, 'suspect'],
    ['without a first heartbeat for long', { last_heartbeat_at: null, task_started_at: ago(11) }, 'lost'],
    ['gone', { alive: false }, 'lost'],
    ['within its promise', { last_progress_at: ago(60), next_by: ago(-1) }, 'live'],
  ] as const)('of one that is %s is told', (_, change, liveness) => {
    expect(health(change)?.liveness).toBe(liveness);
  });

  it('is taken back by the evidence that comes after it', () => {
    expect(health({ last_progress_at: ago(50) })?.liveness).toBe('lost');
    expect(health({ last_progress_at: ago(0) })?.liveness).toBe('live');
  });

  it('asks in a silent build of thirty minutes, and does not end it', () => {
    expect(silence(120, [0, 30, 31, 45, 60, 75, 90, 105, 120])).toEqual(['probe 21']);
  });

  it('finds a process that only beats', () => {
    expect(silence(60)).toEqual(['probe 21', 'restart 41', 'escalate_human 51']);
  });

  it('restarts nobody that was asleep with its machine before it was asked', () => {
    const found = { liveness: 'lost', minutes_since: 600 } as const;

    expect(decide({}, found)).toBe('probe');
    expect(decide({ rung: 1, last_intervention_at: ago(12) }, { ...found, last_progress_at: ago(11) })).toBe(
      'probe',
    );
  });

  it('leaves a suspect that was asked alone, and one whose first heartbeat is late', () => {
    expect(decide({ intervention_count: 1 }, { liveness: 'suspect' })).toBeUndefined();
    expect(decide({}, { status: 'missing', liveness: 'suspect' })).toBeUndefined();
    expect(decide({}, { status: 'missing', liveness: 'lost' })).toBe('restart');
  });
});

describe('compose_intervention_message', () => {
  const say = (action: 'probe' | 'restart' | 'reassign' | 'escalate_human', reason?: string) =>
    composeInterventionMessage.call(
      { agent_id: 'agent-1', task_title: 'Login form', health_status: 'stalled', action, reason },
      {},
    ).message;

  it('mentions the agent in a probe', () => {
    expect(say('probe', 'no progress for 25 minutes')).toMatch(
      /^@caloron-agent-agent-1 .*"Login form" \(no progress for 25 minutes\)/,
    );
  });

  it('says that the worktree is preserved on a restart', () => {
    expect(say('restart')).toContain('worktree is preserved');
  });

  it('names the words a person can answer with', () => {
    for (const word of ['resolved', 'assign-human', 'caloron:take-over', 'break-down'])
      expect(say('escalate_human')).toContain(`\`${word}\``);
  });
});

/** An agent of minutes ago, judged at NOW by a shell that has listened since so many minutes. */
function heard(change: Partial<AgentInfo>, listening: number | null = null): Health {
  const listening_since = listening === null ? null : ago(listening);
  const input = { agents: { 'agent-1': agent(change) }, now: NOW, listening_since, stall_threshold_m: 20 };
  const [found] = checkAgentHealth.output.parse(checkAgentHealth.call(input, {})).results;
  expect(found).toBeDefined();
  return found!;
}

describe('the evidence of life', () => {
  it.each([
    ['a silent build of half an hour', { last_progress_at: ago(30), last_cpu_at: ago(0.5) }, 'live'],
    ['one of an hour', { last_progress_at: ago(60), last_cpu_at: ago(0) }, 'live'],
    ['one that has come to wait', { last_progress_at: ago(45), last_cpu_at: ago(15) }, 'quiet'],
    ['a loop after an hour and more', { last_progress_at: ago(81), last_cpu_at: ago(0) }, 'suspect'],
    ['a loop for two hours', { last_progress_at: ago(120), last_cpu_at: ago(0) }, 'lost'],
    [
      'a loop from the start',
      { task_started_at: ago(120), last_progress_at: null, last_cpu_at: ago(0) },
      'lost',
    ],
  ] as const)('G1 judges %s', (_, change, liveness) => {
    expect(heard({ task_started_at: ago(200), ...change }).liveness).toBe(liveness);
  });

  it('says what the last sign was', () => {
    expect(heard({ last_progress_at: ago(3), progress_kind: 'commit', last_cpu_at: ago(5) })).toMatchObject({
      last_progress_at: ago(3),
      progress_kind: 'commit',
    });
    expect(heard({ last_progress_at: ago(5), progress_kind: 'commit', last_cpu_at: ago(3) })).toMatchObject({
      last_progress_at: ago(3),
      progress_kind: 'cpu',
    });
  });

  it('G1 a build of 30 silent minutes is neither asked nor stopped; a harness that only beats is', () => {
    const build = silence(30, [], { last_cpu_at: NOW });
    const start = Date.parse(NOW);
    const task = exampleTask('a', { status: 'InProgress', process_id: 'p1', issue_number: 1 });
    for (let minute = 0; minute <= 30; minute += 1) {
      const now = new Date(start + minute * 60_000).toISOString();
      const info = agent({
        task_started_at: NOW,
        last_heartbeat_at: now,
        last_progress_at: null,
        last_cpu_at: now,
      });
      const { results } = checkAgentHealth.call(
        { agents: { 'agent-1': info }, now, stall_threshold_m: 20 },
        {},
      );
      expect(decideIntervention.call({ results, state: exampleState([task]), now }, {})).toEqual({
        decisions: [],
      });
    }
    // Processor time of the first minute alone carries nothing.
    expect(build[0]).toMatch(/^probe/);
    expect(silence(60)[0]).toBe('probe 21');
  });
});

describe('silence nobody could have heard', () => {
  const asleep = { last_heartbeat_at: ago(480), last_progress_at: ago(485), task_started_at: ago(500) };

  it('G1 does not count: after eight hours of sleep an agent has the time it had before', () => {
    expect(heard(asleep).liveness).toBe('lost');
    expect(heard(asleep, 0)).toMatchObject({ liveness: 'live', status: 'healthy' });
    expect(heard(asleep, 14)).toMatchObject({ liveness: 'quiet', status: 'healthy' });
    expect(heard(asleep, 36)).toMatchObject({ liveness: 'lost', status: 'stalled', silent_since: ago(480) });
  });

  it('G1 is not held against an agent that was just started either', () => {
    const started = { last_heartbeat_at: null, last_progress_at: null, task_started_at: ago(480) };
    expect(heard(started).status).toBe('missing');
    expect(heard(started, 1)).toMatchObject({ status: 'healthy', liveness: 'live' });
    expect(heard(started, 11)).toMatchObject({ status: 'missing', liveness: 'lost' });
  });

  it('G1 counts again once agents were heard after it', () => {
    const hung = { last_heartbeat_at: ago(0.5), last_progress_at: ago(50), task_started_at: ago(60) };
    expect(heard(hung, 30).liveness).toBe('lost');
  });

  it('G1 a clock that was set back makes nobody silent, and no promise endless', () => {
    const ahead = { last_heartbeat_at: ago(-60), last_progress_at: ago(-61), task_started_at: ago(-10) };
    expect(heard(ahead)).toMatchObject({ liveness: 'live', minutes_since: 0 });
    const promise = { next_by: ago(-600), last_progress_at: ago(50) };
    expect(heard({ ...promise, next_by: ago(-119) }).liveness).toBe('live');
    expect(heard(promise).liveness).toBe('lost');
  });
});
