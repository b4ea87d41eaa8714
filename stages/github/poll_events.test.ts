import { type Cursors, type DagState, type Task } from '@caloron/types';
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

function pollWith(forge: MemoryForge, seen: readonly string[] = []) {
  const store = memoryStore();
  for (const id of seen) store.seen.add(id);
  return async (state: DagState, cursors: Cursors = exampleCursors) =>
    githubPollEvents.call(
      { target: exampleTarget, state, cursors },
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
    expect(polled).toEqual({ events: [], cursors: exampleCursors, last_poll: null });
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

  it('stays an error when the repository is not found', async () => {
    const forge = memoryForge();
    forge.faults.set('issue', [{ error: forgeError('FORGE_NOT_FOUND') }]);
    forge.faults.set('issuesWithLabel', [{ error: forgeError('FORGE_NOT_FOUND') }]);

    await expect(pollWith(forge)(sprintWith({ issue_number: 3 }))).rejects.toMatchObject({
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

  it('is three requests when nothing is new, and moves no cursor', async () => {
    const forge = memoryForge();
    forge.issues.push(issueOf(1));
    forge.pulls.push(pullOf(4, { body: marker }));
    const cursors = cursorsAt('2026-04-14T08:00:00.000Z');

    const polled = await pollWith(forge)(
      sprintWith({ issue_number: 1, status: 'InReview', pr_number: 4, head_sha: sha('a') }),
      cursors,
    );

    expect(forge.calls.toSorted()).toEqual(['changedComments', 'changedIssues', 'changedPulls']);
    expect(polled).toEqual({ events: [], cursors, last_poll: '2026-04-14T08:00:00.000Z' });
  });

  it('asks for the reviews of pull requests that changed', async () => {
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

  it('leaves out what was consumed before', async () => {
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
