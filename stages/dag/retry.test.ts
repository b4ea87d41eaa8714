import { addMs, EndClass, epochMs } from '@caloron/types';
import type { EndCause, Event, Exit, Timestamp } from '@caloron/types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { Drive, event, report, sha } from '../testing/drive.ts';
import { action } from '../sprint/action-id.ts';
import { exampleState, exampleTask } from './example.ts';

const RESET = '2026-04-14T13:00:00.000Z';

function cause(kind: EndClass, more: Partial<EndCause> = {}): EndCause {
  return { class: kind, until: null, provider: 'stub', sentence: `it said ${kind}`, ...more };
}

function exit(at: Timestamp, why?: EndCause): Exit {
  return { code: 1, signal: null, at, known: true, ...(why === undefined ? {} : { cause: why }) };
}

/** A task that is worked on as p1. */
function running(): Drive {
  const a = exampleTask('a', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p1' });
  return new Drive(exampleState([{ ...a, base_sha: sha('0') }]));
}

/** The author of `a` ends; told at the drive's instant. */
function ended(drive: Drive, why?: EndCause, more: object = {}): Event {
  const { attempt, process_id } = drive.task();
  return {
    ...report({
      attempt,
      process_id: process_id ?? '',
      outcome: 'failed',
      exit: exit(drive.now, why),
      ...more,
    }),
    created_at: drive.now,
  };
}

function wait(drive: Drive, id = 'a'): number {
  return epochMs(drive.task(id).retry_at ?? '') - epochMs(drive.now);
}

describe('dag_evaluate: an attempt that ended without work', () => {
  it.each(['crash', 'timeout', 'transient'] as const)(
    'D10 is tried again after %s, later each time',
    (kind) => {
      const drive = running();
      const waits: number[] = [];

      for (const next of ['p2', 'p3']) {
        drive.log(ended(drive, cause(kind)));
        waits.push(wait(drive));
        expect(drive.stuck['a']).toBe(`retries_at: ${drive.task().retry_at}`);
        drive.later();
        drive.succeed('spawn_agent', { process_id: next });
      }
      drive.log(ended(drive, cause(kind)));

      expect(waits[0]).toBeGreaterThan(6_000);
      expect(waits[0]).toBeLessThanOrEqual(10_000);
      expect(waits[1]).toBeGreaterThan(14_000);
      expect(waits[1]).toBeLessThanOrEqual(20_000);
      expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'attempts_exhausted' });
    },
  );

  it('D10 waits five minutes at most', () => {
    const a = exampleTask('a', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p1' });
    const drive = new Drive(exampleState([{ ...a, base_sha: sha('0') }], { max_attempts: 20 }));
    const waits: number[] = [];
    for (let n = 2; n <= 12; n += 1) {
      drive.log(ended(drive, cause('crash')));
      waits.push(wait(drive));
      drive.later();
      drive.succeed('spawn_agent', { process_id: `p${n}` });
    }

    expect(Math.max(...waits)).toBeLessThanOrEqual(300_000);
    expect(Math.min(...waits.slice(-3))).toBeGreaterThan(200_000);
  });

  it.each(['assign-human', 'resolved'] as const)(
    'D12 looks at its task first: after %s it starts one that is wanted still, once',
    (word) => {
      const drive = running();
      drive.log(ended(drive, cause('crash')));
      drive.log(event({ type: 'human_command', task_id: 'a', word }));

      drive.later();
      drive.later();

      const wanted = word === 'resolved';
      expect(drive.causes('spawn_agent')).toEqual(wanted ? ['author:resume:2:-'] : []);
      expect(drive.task().status).toBe(wanted ? 'InProgress' : 'HumanAssigned');
    },
  );

  it('is a crash when nobody says more', () => {
    const drive = running();

    drive.log(ended(drive));

    expect(drive.task()).toMatchObject({ status: 'InProgress', failed_attempts: 1 });
    expect(wait(drive)).toBeGreaterThan(0);
  });

  it('D11 is not tried again before its time, and is at it', () => {
    const drive = running();
    drive.log(ended(drive, cause('crash')));
    const at = drive.task().retry_at ?? '';

    drive.now = addMs(at, -1001);
    drive.tick();
    expect(drive.causes('spawn_agent')).toEqual([]);
    drive.tick();

    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
  });

  it('is started at once when supervision restarts it, although its exit was told first', () => {
    const drive = running();
    const restart = action('supervisor', {
      cause: '1:restart',
      sprint_id: drive.state.sprint_id,
      task_id: 'a',
      agent_id: 'agent-1',
      action: 'restart',
      reason: 'no progress',
      message: '',
    });

    drive.log(ended(drive));
    expect(drive.causes('spawn_agent')).toEqual([]);
    drive.log(event({ type: 'action_succeeded', action: restart, result: { process_id: 'p1' } }));

    expect(drive.causes('spawn_agent')).toEqual(['author:resume:2:-']);
  });

  it.each([
    ['auth', 'provider_auth', /valid key/],
    ['billing', 'provider_billing', /account/],
    ['gave_up', 'agent_gave_up', /gave up: it said/],
  ] as const)('waits for a person after %s, who is told what to do', (kind, code, told) => {
    const drive = running();

    drive.log(ended(drive, cause(kind)));

    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: code });
    expect(drive.latest('escalate')).toMatchObject({
      reason_code: code,
      reason: expect.stringMatching(told),
    });
  });
});

describe('dag_evaluate: a provider that limits', () => {
  it('G4 parks the task until the quota is there again, and not as a failure of its agent', () => {
    const drive = running();

    drive.log(ended(drive, cause('quota', { until: RESET })));

    expect(drive.task().retry_at?.slice(0, 16)).toBe('2026-04-14T13:00');
    expect(drive.task()).toMatchObject({
      failed_attempts: 0,
      status_reason: 'provider_limited: it said quota',
    });
    expect(drive.stuck['a']).toContain(`provider_limited: stub until ${RESET}`);
    expect(drive.state.status).toBe('active');
    drive.now = addMs(RESET, 30_000);
    drive.tick();
    expect(drive.latest('spawn_agent')).toMatchObject({ task_id: 'a', attempt: 2 });
  });

  it('G4 holds a Ready task of the provider, and none of another', () => {
    for (const [provider, reason] of [
      ['stub', `provider_limited: stub until ${RESET}`],
      ['other', null],
    ] as const) {
      const drive = ready();

      drive.log(ended(drive, cause('quota', { until: RESET, provider })), done('c'));

      expect(drive.task('b').status_reason).toBe(reason);
      expect(drive.outbox.some(({ type, task_id }) => type === 'spawn_agent' && task_id === 'b')).toBe(
        reason === null,
      );
      expect(drive.stuck['b']).toBe(reason ?? undefined);
    }
  });

  it('asks one person for all that need a credential, and goes on with all at the answer', () => {
    const drive = ready();

    drive.log(ended(drive, cause('auth')), done('c'));
    expect(drive.stuck).toEqual({ a: 'provider_auth', b: 'provider_limited: stub until a person answers' });
    expect(drive.state.status).toBe('waiting_for_human');
    expect(drive.causes('escalate')).toEqual(['provider_auth:0']);
    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.state.status).toBe('active');
    const started = drive.outbox.filter(({ type }) => type === 'spawn_agent').map(({ task_id }) => task_id);
    expect(started).toEqual(['a', 'b']);
  });

  it('is asked again at once when a person says that the limit is over', () => {
    const drive = running();
    drive.log(ended(drive, cause('quota', { until: RESET })));

    drive.log(event({ type: 'human_command', task_id: 'a', word: 'resolved' }));

    expect(drive.latest('spawn_agent')).toMatchObject({ task_id: 'a', attempt: 2 });
  });

  it('does not count against max_attempts, and is still bounded', () => {
    const drive = running();
    let runs = 1;

    while (drive.task().status === 'InProgress' && runs < 100) {
      drive.log(ended(drive, cause('rate_limit')));
      if (drive.task().status !== 'InProgress') break;
      drive.later();
      drive.succeed('spawn_agent', { process_id: `p${(runs += 1)}` });
    }

    expect(runs).toBe(20);
    expect(drive.task()).toMatchObject({ status: 'Blocked', status_reason: 'provider_limited' });
  });

  it('lets a reviewer wait too, and starts it anew as another action', () => {
    const task = {
      status: 'InReview',
      issue_number: 1,
      attempt: 1,
      pr_number: 7,
      head_sha: sha('a'),
    } as const;
    const drive = new Drive(exampleState([exampleTask('a', task)]));
    drive.tick();
    drive.succeed('spawn_agent', { process_id: 'r1' });

    const facts = { role: 'reviewer', agent_id: 'reviewer-1', process_id: 'r1', head_sha: sha('a') } as const;
    drive.log(
      report({ ...facts, outcome: 'failed', exit: exit(drive.now, cause('quota', { until: RESET })) }),
    );
    expect(drive.task()).toMatchObject({ review_attempts: 0, parked: 1 });
    expect(drive.stuck['a']).toContain('provider_limited');
    drive.later();
    expect(drive.causes('spawn_agent')).toHaveLength(1);
    drive.now = addMs(RESET, 30_000);
    drive.tick();

    expect(drive.latest('spawn_agent').cause).toBe(`reviewer:review:2:${sha('a')}`);
  });
});

/** `a` runs as p1, `b` waits for `c`, which is in the hands of a person: it becomes Ready when `c` is done. */
function ready(): Drive {
  const a = exampleTask('a', { status: 'InProgress', issue_number: 1, attempt: 1, process_id: 'p1' });
  const c = exampleTask('c', { status: 'HumanAssigned', issue_number: 3 });
  const b = exampleTask('b', { issue_number: 2, agent_id: 'agent-2', depends_on: ['c'] });
  return new Drive(exampleState([{ ...a, base_sha: sha('0') }, b, c]));
}

function done(task_id: string): Event {
  return event({ type: 'human_command', task_id, word: 'resolved' });
}

const step = fc.oneof(
  fc.record({ ms: fc.integer({ min: 0, max: 400_000 }) }),
  fc.record({
    kind: fc.option(fc.constantFrom(...EndClass.options)),
    until: fc.constantFrom(
      null,
      '2026-04-14T08:35:00.000Z',
      RESET,
      '2020-01-01T00:00:00.000Z',
      '9999-12-31T23:59:59.999Z',
    ),
    provider: fc.constantFrom('stub', 'other', null),
  }),
);

describe('dag_evaluate: laws of trying again', () => {
  it('starts one agent at a time, never before its time or into a hold, and not without end', () => {
    const law = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const drive = running();
      let runs = 1;
      for (const one of steps) {
        const before = drive.task();
        const fresh = 'ms' in one ? drive.later(one.ms) : lose(drive, one);
        const started = fresh.filter(({ type, task_id }) => type === 'spawn_agent' && task_id === 'a');
        const { retry_at, provider_limit, status, process_id } = drive.task();

        expect(started.length).toBeLessThanOrEqual(1);
        if (started.length === 0) continue;
        expect([before.process_id === null || process_id === null, status]).toEqual([true, 'InProgress']);
        expect((retry_at ?? '') <= drive.now).toBe(true);
        if (provider_limit?.provider === 'stub')
          expect((provider_limit.until ?? 'z') <= drive.now).toBe(true);
        drive.succeed('spawn_agent', { process_id: `p${(runs += 1)}` });
      }
      const { failed_attempts, parked, stops } = drive.task();
      expect(failed_attempts).toBeLessThanOrEqual(3);
      expect(runs).toBeLessThanOrEqual(1 + failed_attempts + (parked ?? 0) + (stops ?? 0));
      expect(parked ?? 0).toBeLessThanOrEqual(20);
      expect(stops ?? 0).toBeLessThanOrEqual(10);
    });
    fc.assert(law, { numRuns: 300 });
  });
});

interface Loss {
  readonly kind: EndClass | null;
  readonly until: Timestamp | null;
  readonly provider: string | null;
}

function lose(drive: Drive, { kind, ...more }: Loss) {
  if (drive.task().process_id === null) return drive.tick();
  return drive.log(ended(drive, kind === null ? undefined : cause(kind, more)));
}
