import { CodedError } from '@caloron/noether/stage';
import type { Cursors, DagState, ForgeRepo, Task } from '@caloron/types';
import { markerOf } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { exampleCursors, exampleState, exampleTarget, exampleTask } from '../sprint/example.ts';
import {
  commentOf,
  forgeError,
  issueOf,
  memoryForge,
  pullOf,
  sha,
  type MemoryForge,
} from '../testing/memory_forge.ts';
import { memoryStore } from '../testing/memory_store.ts';
import { awayWords } from './away.ts';
import { githubPollChecks } from './poll_checks.ts';
import { githubPollEvents } from './poll_events.ts';

const marker = markerOf('sprint-1', 'login-form');

function sprintWith(task: Partial<Task> = {}, status: DagState['status'] = 'active'): DagState {
  return { ...exampleState, status, tasks: { 'login-form': { ...exampleTask, ...task } } };
}

const approved = {
  rita: {
    login: 'rita',
    state: 'approved',
    review_id: '9',
    head_sha: sha('a'),
    at: '2026-04-14T08:00:00.000Z',
    body: '',
  },
} as const;

function never(): never {
  throw new Error('the forge is not away');
}

const NOW = '2026-04-14T10:00:00.000Z';

function pollWith(forge: MemoryForge, seen: readonly string[] = [], now: string | null = null) {
  const store = memoryStore();
  for (const id of seen) store.seen.add(id);
  return async (state: DagState, cursors: Cursors = exampleCursors) =>
    githubPollEvents.call(
      { target: exampleTarget, state, cursors, now },
      { forge: { open: () => forge.repo }, log: store.log },
    );
}

const cursorsAt = (at: string): Cursors => {
  const cursor = { updated_at: at, etag: null };
  return { v: 1, log_seq: 3, forge: { issues: cursor, pulls: cursor, comments: cursor } };
};

describe('github_poll_events', () => {
  it.each(['completed', 'cancelled'] as const)('asks nothing for a %s sprint', async (status) => {
    const forge = memoryForge();

    const polled = await pollWith(forge)(
      sprintWith({ issue_number: 1 }, status),
      cursorsAt('2026-04-14T08:00:00.000Z'),
    );

    expect(forge.calls).toEqual([]);
    expect(polled).toMatchObject({ events: [], last_poll: '2026-04-14T08:00:00.000Z' });
  });

  it('asks nothing while no task has an issue', async () => {
    const forge = memoryForge();

    const polled = await pollWith(forge)(sprintWith());

    expect(forge.calls).toEqual([]);
    expect(polled).toEqual({
      events: [],
      cursors: exampleCursors,
      last_poll: null,
      away: null,
      ignored: [],
    });
  });

  it('begins at the first issue there still is when a person has deleted one', async () => {
    const forge = memoryForge();
    forge.issues.push(
      issueOf(1, { labels: ['caloron:task'], created_at: '2020-01-01T00:00:00.000Z' }),
      issueOf(4, { labels: ['caloron:task'], created_at: '2026-04-14T07:00:00.000Z' }),
    );
    const state = {
      ...exampleState,
      tasks: {
        'login-form': { ...exampleTask, issue_number: 3 },
        mail: { ...exampleTask, id: 'mail', issue_number: 4 },
      },
    };

    const { cursors } = await pollWith(forge)(state);

    expect(cursors.forge['comments']?.updated_at).toBe('2026-04-14T07:00:00.000Z');
  });

  it('begins when the sprint did when all of its issues are deleted', async () => {
    const forge = memoryForge();

    const { cursors } = await pollWith(forge)(sprintWith({ issue_number: 3 }));

    expect(cursors.forge['comments']?.updated_at).toBe(exampleTask.status_at);
  });

  it('5.4.15 stays an error when the repository is not found, in a tick too', async () => {
    const forge = memoryForge();
    forge.faults.set('issue', [{ error: forgeError('FORGE_NOT_FOUND') }]);
    forge.faults.set('issuesWithLabel', [{ error: forgeError('FORGE_NOT_FOUND') }]);

    await expect(pollWith(forge, [], NOW)(sprintWith({ issue_number: 3 }))).rejects.toMatchObject({
      code: 'FORGE_NOT_FOUND',
    });
  });

  it("begins at the first issue, by the forge's own clock", async () => {
    const forge = memoryForge();
    forge.issues.push(
      issueOf(1, { updated_at: '2020-01-01T00:00:00.000Z' }),
      issueOf(2, { created_at: '2026-04-14T07:00:00.000Z' }),
    );
    forge.comments.push(commentOf(7, 2, { updated_at: '2026-04-14T06:59:59.000Z' }));

    const polled = await pollWith(forge)(sprintWith({ issue_number: 2 }));

    expect(polled.events.map(({ event_id }) => event_id)).toEqual(['issue_opened:2']);
    expect(polled.cursors.forge['comments']).toEqual({ updated_at: '2026-04-14T07:00:00.000Z', etag: null });
    expect(polled.last_poll).toBe('2026-04-14T08:00:00.000Z');
  });

  it('5.4.7 is three requests when nothing is new, and moves no cursor', async () => {
    const forge = memoryForge();
    forge.issues.push(issueOf(1));
    forge.pulls.push(pullOf(4, { body: marker }));
    const cursors = cursorsAt('2026-04-14T08:00:00.000Z');

    const polled = await pollWith(forge)(
      sprintWith({ issue_number: 1, status: 'InReview', pr_number: 4, head_sha: sha('a') }),
      cursors,
    );

    expect(forge.calls.toSorted()).toEqual(['changedComments', 'changedIssues', 'changedPulls']);
    expect(polled).toEqual({
      events: [],
      cursors,
      last_poll: '2026-04-14T08:00:00.000Z',
      away: null,
      ignored: [],
    });
  });

  it('5.4.7 asks for the reviews of pull requests that changed', async () => {
    const forge = memoryForge();
    forge.pulls.push(
      pullOf(4, { body: marker, updated_at: '2026-04-14T09:00:00.000Z' }),
      pullOf(5, { head_ref: 'other', updated_at: '2026-04-14T09:00:00.000Z' }),
    );

    await pollWith(forge)(
      sprintWith({ issue_number: 1, pr_number: 4, head_sha: sha('a') }),
      cursorsAt('2026-04-14T08:00:00.000Z'),
    );

    expect(forge.calls.filter((call) => call === 'reviews')).toHaveLength(1);
  });

  it('5.4.19 leaves out what was consumed before', async () => {
    const forge = memoryForge();
    forge.issues.push(issueOf(1, { updated_at: '2026-04-14T09:00:00.000Z' }));

    const polled = await pollWith(forge, ['issue_opened:1'])(
      sprintWith({ issue_number: 1 }),
      cursorsAt('2026-04-14T08:00:00.000Z'),
    );

    expect(polled.events).toEqual([]);
    expect(polled.cursors.forge['issues']).toMatchObject({ updated_at: '2026-04-14T09:00:00.000Z' });
    expect(polled.cursors.log_seq).toBe(3);
  });

  it('moves no cursor when a later request fails', async () => {
    const forge = memoryForge();
    forge.issues.push(issueOf(1, { updated_at: '2026-04-14T09:00:00.000Z' }));
    forge.faults.set('changedPulls', [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);
    const poll = pollWith(forge);
    const state = sprintWith({ issue_number: 1 });

    await expect(poll(state, cursorsAt('2026-04-14T08:00:00.000Z'))).rejects.toMatchObject({
      code: 'FORGE_UNAVAILABLE',
    });

    const again = await poll(state, cursorsAt('2026-04-14T08:00:00.000Z'));
    expect(again.events.map(({ type }) => type)).toEqual(['issue_opened']);
  });

  it('asks for the checks of an approved head', async () => {
    const forge = memoryForge();
    forge.checks.set(sha('a'), 'green');
    const state = sprintWith({
      issue_number: 1,
      status: 'InReview',
      pr_number: 4,
      head_sha: sha('a'),
      reviews: approved,
    });

    const polled = await pollWith(forge)(state, cursorsAt('2026-04-14T08:00:00.000Z'));

    expect(polled.events).toMatchObject([{ type: 'checks_changed', checks: 'green', pr_number: 4 }]);
  });

  it('needs to be told where', async () => {
    const call = githubPollEvents.call(
      {},
      { forge: { open: () => memoryForge().repo }, log: memoryStore().log },
    );

    await expect(call).rejects.toMatchObject({ code: 'SPRINT_TARGET_MISSING' });
  });

  it("reads a whole repository by the seeds' plain fields", async () => {
    const forge = memoryForge();
    forge.issues.push(issueOf(1));
    const opened: unknown[] = [];
    const open = (target: unknown) => {
      opened.push(target);
      return forge.repo;
    };

    const polled = await githubPollEvents.call(
      { repo: 'owner/repo', token_env: 'GITEA_TOKEN', host: 'http://127.0.0.1:3000/api/v1' },
      { forge: { open }, log: memoryStore().log },
    );

    expect(opened).toEqual([
      { repo: 'owner/repo', host: 'http://127.0.0.1:3000/api/v1', token_env: 'GITEA_TOKEN' },
    ]);
    expect(polled.events).toMatchObject([{ type: 'issue_opened', trusted: false }]);
  });
});

describe('github_poll_events while the forge is away', () => {
  const state = sprintWith({ issue_number: 1 });
  const cursors = cursorsAt('2026-04-14T08:00:00.000Z');
  const faults = ['changedIssues', 'changedComments', 'changedPulls'] as const;

  it.each(faults)(
    '5.4.16 tells it and moves no cursor when %s fails, and then gives everything',
    async (name) => {
      const forge = memoryForge();
      forge.issues.push(issueOf(1, { updated_at: '2026-04-14T09:00:00.000Z' }));
      forge.faults.set(name, [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);

      const away = await pollWith(forge, [], NOW)(state, cursors);
      const back = await pollWith(forge, [], NOW)(state, away.cursors);

      const expected = {
        since: NOW,
        until: null,
        code: 'FORGE_UNAVAILABLE',
        message: 'the forge says FORGE_UNAVAILABLE',
      };
      expect(away).toMatchObject({ events: [], away: expected, last_poll: '2026-04-14T08:00:00.000Z' });
      expect(away.cursors).toEqual({ ...cursors, away: expected });
      expect(back.events.map(({ type }) => type)).toEqual(['issue_opened']);
      expect(back.away).toBeNull();
      expect(back.cursors.away).toBeUndefined();
    },
  );

  it.each(['reviews', 'checks', 'issue'] as const)('tells it when %s fails', async (name) => {
    const forge = memoryForge();
    forge.pulls.push(pullOf(4, { body: marker, updated_at: '2026-04-14T09:00:00.000Z' }));
    forge.faults.set(name, [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);
    const reviewed = sprintWith({
      issue_number: 1,
      status: 'InReview',
      pr_number: 4,
      head_sha: sha('a'),
      reviews: approved,
    });

    const { away, events } = await pollWith(
      forge,
      [],
      NOW,
    )(reviewed, name === 'issue' ? exampleCursors : cursors);

    expect({ away, events }).toMatchObject({ away: { code: 'FORGE_UNAVAILABLE' }, events: [] });
  });

  it('says until when, and keeps since when over an outage that goes on', async () => {
    const forge = memoryForge();
    const reset_at = '2026-04-14T10:20:00.000Z';
    const limited = () =>
      new CodedError<Record<string, object>>('FORGE_RATE_LIMITED', { reset_at }, 'the limit is used up', {
        retryable: true,
      });
    forge.faults.set('changedPulls', [{ error: limited() }, { error: limited() }]);

    const first = await pollWith(forge, [], NOW)(state, cursors);
    const second = await pollWith(forge, [], '2026-04-14T10:01:00.000Z')(state, first.cursors);

    expect(first.away).toMatchObject({ since: NOW, until: reset_at });
    expect(second.cursors).toEqual(first.cursors);
    expect(awayWords(second.away ?? never())).toBe(
      `away since ${NOW}; it is asked again from ${reset_at} on, and nothing is lost meanwhile. FORGE_RATE_LIMITED: the limit is used up`,
    );
  });

  it('is a page that came in place of the forge too, and says what to look at if it stays', async () => {
    const forge = memoryForge();
    const options = { retryable: true, hint: 'check the API address' };
    const page = new CodedError<Record<string, object>>('FORGE_ANSWER_INVALID', {}, 'no JSON came', options);
    forge.faults.set('changedPulls', [{ error: page }]);

    const { away } = await pollWith(forge, [], NOW)(state, cursors);

    expect(away?.message).toBe('no JSON came (check the API address)');
  });

  it.each(['FORGE_UNAUTHORIZED', 'FORGE_FORBIDDEN', 'FORGE_ANSWER_INVALID', 'STORE_BUSY'])(
    'is not what %s means: that stays an error',
    async (code) => {
      const forge = memoryForge();
      forge.faults.set('changedPulls', [{ error: forgeError(code, code === 'STORE_BUSY') }]);

      await expect(pollWith(forge, [], NOW)(state, cursors)).rejects.toMatchObject({ code });
    },
  );

  it('loses no round of a tick', async () => {
    const forge = memoryForge();
    forge.faults.set('checks', [{ error: forgeError('FORGE_UNAVAILABLE', true) }]);
    const waiting = sprintWith({
      status: 'InReview',
      pr_number: 4,
      head_sha: sha('a'),
      reviews: approved,
    });

    const { events } = await githubPollChecks.call(
      { target: exampleTarget, state: waiting },
      { forge: { open: () => forge.repo } },
    );

    expect(events).toEqual([]);
  });
});

describe('the checks of many heads', () => {
  const heads = Array.from({ length: 50 }, (_, n) => n.toString(16).padStart(40, '0'));
  const many = (checks: Task['checks']): DagState => ({
    ...exampleState,
    tasks: Object.fromEntries(
      heads.map((head_sha, n) => {
        const rita = { ...approved.rita, head_sha };
        const id = `task-${String(n)}`;
        const task: Task = {
          ...exampleTask,
          id,
          status: 'InReview',
          issue_number: n + 1,
          pr_number: n + 100,
          head_sha,
          reviews: { rita },
          checks,
        };
        return [id, task];
      }),
    ),
  });
  /** Which heads a tick asks for, one tick after the other. */
  async function ticks(forge: MemoryForge, state: DagState, times: readonly string[]) {
    let cursors = cursorsAt('2026-04-14T08:00:00.000Z');
    const asked: string[][] = [];
    const repo: ForgeRepo = {
      ...forge.repo,
      changedIssues: (...a) => forge.repo.changedIssues(...a),
      changedPulls: (...a) => forge.repo.changedPulls(...a),
      changedComments: (...a) => forge.repo.changedComments(...a),
      checks: (head) => {
        asked.at(-1)?.push(head);
        return forge.repo.checks(head);
      },
    };
    for (const now of times) {
      asked.push([]);
      const input = { target: exampleTarget, state, cursors, now };
      ({ cursors } = await githubPollEvents.call(input, {
        forge: { open: () => repo },
        log: memoryStore().log,
      }));
    }
    return { asked, cursors };
  }

  it('5.4.7 are asked for twenty at a time and in turn, so that each has its turn', async () => {
    const forge = memoryForge();
    for (const head of heads) forge.checks.set(head, 'pending');

    const { asked } = await ticks(forge, many('pending'), [NOW, NOW, NOW, NOW]);

    expect(asked.map((one) => one.length)).toEqual([20, 20, 20, 20]);
    expect(new Set(asked.slice(0, 3).flat()).size).toBe(50);
  });

  it.each(['red', 'green', 'none'] as const)(
    'that are %s are left alone for five minutes',
    async (checks) => {
      const forge = memoryForge();
      for (const head of heads) forge.checks.set(head, checks);
      const times = [NOW, '2026-04-14T10:04:59.000Z', '2026-04-14T10:05:00.000Z'];
      const [first = ''] = heads;
      const state = many(checks);
      const one = { ...state, tasks: { 'task-0': state.tasks['task-0'] ?? exampleTask } };

      const { asked, cursors } = await ticks(forge, one, times);

      expect(asked).toEqual([[first], [], [first]]);
      expect(cursors.checked).toEqual({ [first]: '2026-04-14T10:05:00.000Z' });
    },
  );

  it('of which nobody has asked come first', async () => {
    const forge = memoryForge();
    const state = many('pending');
    const last = heads.at(-1) ?? '';
    const tasks = {
      ...state.tasks,
      'task-49': { ...(state.tasks['task-49'] ?? exampleTask), checks: 'unknown' },
    };

    const { asked } = await ticks(forge, { ...state, tasks } as DagState, [NOW]);

    expect(asked[0]?.[0]).toBe(last);
  });

  it('of a commit the forge does not know are told and stop nothing', async () => {
    const forge = memoryForge();
    forge.faults.set('checks', [{ error: forgeError('FORGE_INVALID') }]);
    const waiting = sprintWith({
      issue_number: 1,
      status: 'InReview',
      pr_number: 4,
      head_sha: sha('a'),
      reviews: approved,
    });

    const { events, ignored } = await pollWith(forge, [], NOW)(waiting, cursorsAt(NOW));

    expect(events).toEqual([]);
    expect(ignored).toEqual([
      {
        id: `checks of ${sha('a')}`,
        reason: `the checks of ${sha('a')} (task login-form): the forge knows no such commit`,
        task_id: 'login-form',
      },
    ]);
  });
});

describe('github_poll_checks', () => {
  const asked = async (task: Partial<Task>) => {
    const forge = memoryForge();
    const state = sprintWith({
      status: 'InReview',
      pr_number: 4,
      head_sha: sha('a'),
      reviews: approved,
      ...task,
    });
    const { events } = await githubPollChecks.call(
      { target: exampleTarget, state },
      { forge: { open: () => forge.repo } },
    );
    return { events, calls: forge.calls };
  };

  it('asks for an approved head nobody asked about', async () => {
    expect(await asked({})).toMatchObject({
      events: [{ type: 'checks_changed', checks: 'none' }],
      calls: ['checks'],
    });
  });

  it('asks nothing otherwise', async () => {
    expect(await asked({ checks: 'pending' })).toEqual({ events: [], calls: [] });
    expect(await asked({ reviews: {} })).toEqual({ events: [], calls: [] });
  });
});
