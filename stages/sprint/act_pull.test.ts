import { addMs, type Action, type Task } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { createIssue, done, escalate, hidden, marker, merge, submit, world } from '../testing/acting.ts';
import { commentOf, forgeError, issueOf, pullOf, sha } from '../testing/memory_forge.ts';
import { action } from './action-id.ts';
import { EXAMPLE_NOW, exampleTask } from './example.ts';

describe('submit_pr_for_review', () => {
  it('5.5.6 labels the pull request and asks reviewers who are not the agents', async () => {
    const w = world([submit], {}, { reviewer_logins: ['rita', 'caloron-bot'] });

    expect((await w.run()).actions_taken).toEqual(['review:PR#4']);
    expect(w.forge.pulls[0]?.labels).toEqual(['caloron:review-pending']);
    expect(w.forge.requested.get(4)).toEqual(['rita']);
  });

  it('is done although the request was refused', async () => {
    const w = world([submit], {}, { reviewer_logins: ['rita'] });
    w.forge.faults.set('requestReview', [{ error: forgeError('FORGE_INVALID') }]);

    expect(await w.run()).toMatchObject({
      actions_taken: ['review:PR#4'],
      errors: [expect.stringContaining('FORGE_INVALID')],
    });
  });
});

describe('merge_pr', () => {
  it('merges the approved head', async () => {
    const w = world([merge]);

    expect((await w.run()).actions_taken).toEqual(['merge:PR#4']);
    expect(w.row(merge)?.result).toEqual({ merge_sha: sha('c') });
  });

  it('tells how far the base has moved on, and merges no further from it than the sprint allows', async () => {
    const behind = `main...${sha('a')}`;
    const [shown, refused] = [{}, { require_up_to_date: true }].map((sprint) => world([merge], {}, sprint));
    for (const w of [shown, refused]) w?.forge.comparisons.set(behind, { behind: 2, base_sha: sha('d') });
    await shown?.run();
    await refused?.run();

    const drift = { head_sha: sha('a'), behind: 2, base_head: sha('d') };
    expect(shown?.row(merge)?.result).toEqual({ merge_sha: sha('c'), drift });
    expect(refused?.forge.calls).not.toContain('merge');
    expect(refused?.row(merge)).toMatchObject({ status: 'dead', error: { code: 'MERGE_BASE_BEHIND' } });
  });

  it.each([
    [`${sha('b')}...${sha('a')}`, 'MERGE_BASE_LOST'],
    [`${sha('b')}...main`, 'MERGE_BASE_REWRITTEN'],
  ])('never merges where %s has something behind', async (pair, code) => {
    const w = world([merge], { base_sha: sha('b') });
    w.forge.comparisons.set(pair, { behind: 1 });

    await w.run();

    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({ status: 'dead', error: { code, retryable: false } });
  });

  it('merges on a forge that cannot compare, and says so', async () => {
    const w = world([merge], { base_sha: sha('b') });
    w.forge.faults.set('compare', [{ error: forgeError('FORGE_NOT_FOUND') }]);

    const told = await w.run();

    expect(told.actions_taken).toEqual(['merge:PR#4']);
    expect(JSON.stringify(told)).toContain('its base was not compared');
  });

  it('finds a pull request merged by another hand', async () => {
    const w = world([merge]);
    w.forge.pulls[0] = pullOf(4, {
      state: 'closed',
      merged_at: EXAMPLE_NOW,
      merge_sha: sha('f'),
      head_sha: sha('d'),
    });

    await w.run();

    expect(w.row(merge)?.result).toEqual({ already: true, merge_sha: sha('f') });
  });

  it.each<[string, Parameters<typeof pullOf>[1], string, string]>([
    // A head that moved is asked for again: the poll and the forge may not agree yet.
    ['a head after the approved one', { head_sha: sha('d') }, 'FORGE_HEAD_MOVED', 'failed'],
    ['a closed pull request', { state: 'closed', head_sha: sha('d') }, 'MERGE_CLOSED', 'dead'],
    ['a fork', { fork: true }, 'MERGE_FROM_FORK', 'dead'],
    ['another base', { base_ref: 'release' }, 'MERGE_OTHER_BASE', 'dead'],
    ['a conflict', { mergeable: false, merge_state: 'dirty' }, 'FORGE_NOT_MERGEABLE', 'dead'],
  ])('5.5.5 never merges %s, and says which it is', async (_, change, code, status) => {
    const w = world([merge]);
    w.forge.pulls[0] = pullOf(4, change);

    await w.run();

    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({ status, attempts: 1, error: { code, retryable: false } });
  });

  it('5.5.5 waits for a draft without counting, and merges it once it is ready', async () => {
    const w = world([merge]);
    w.forge.pulls[0] = pullOf(4, { draft: true, mergeable: false });
    for (let n = 0; n < 30; n += 1) {
      await w.run();
      w.later(60_000);
    }
    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({ status: 'failed', attempts: 0, error: { code: 'MERGE_DRAFT' } });

    w.forge.pulls[0] = pullOf(4);
    expect((await w.run()).actions_taken).toEqual(['merge:PR#4']);
  });

  it('5.5.5 waits for a rule of the repository, and asks the host for no merge that it surely refuses', async () => {
    const waits = { action_id: merge.action_id, reason: 'merge_blocked: no', since: EXAMPLE_NOW };
    const [first, known] = [world([merge]), world([merge], { put_back: waits })];
    for (const w of [first, known]) {
      // What a rule forbids hosts call unmergeable too.
      w.forge.pulls[0] = pullOf(4, { merge_state: 'blocked', mergeable: false });
      w.forge.faults.set('merge', [{ error: forgeError('FORGE_MERGE_BLOCKED') }]);
      w.later(w === known ? 121_000 : 0);
      await w.run();
      expect(w.row(merge)).toMatchObject({ status: 'failed', attempts: 0, error: { code: 'MERGE_BLOCKED' } });
    }
    expect(first.row(merge)?.error?.message).toContain('the forge says FORGE_MERGE_BLOCKED');
    expect([first, known].map(({ forge }) => forge.calls.includes('merge'))).toEqual([true, false]);

    // It asks again within seconds at first, for what is over in a moment, and then once a minute.
    expect([first, known].map((w) => w.row(merge)?.next_at)).toEqual([
      addMs(EXAMPLE_NOW, 5_000),
      addMs(EXAMPLE_NOW, 121_000 + 60_000),
    ]);
    known.forge.pulls[0] = pullOf(4, { merge_state: 'clean' });
    known.forge.faults.clear();
    known.later(60_000);
    expect((await known.run()).actions_taken).toEqual(['merge:PR#4']);
  });

  it.each<[string, string]>([
    ['FORGE_NOT_MERGEABLE', 'dead'],
    ['FORGE_BEHIND', 'dead'],
    ['FORGE_INVALID', 'dead'],
    ['FORGE_FORBIDDEN', 'dead'],
    ['FORGE_MERGE_UNSETTLED', 'failed'],
  ])('5.5.5 keeps the code of a refusal of the host: %s', async (code, status) => {
    const w = world([merge]);
    w.forge.faults.set('merge', [{ error: forgeError(code, status === 'failed') }]);

    await w.run();

    expect(w.row(merge)).toMatchObject({ status, attempts: 1, error: { code } });
  });

  it.each<[string, Partial<Task>]>([
    ['of a task that is over', { status: 'Done', pr_number: 4, head_sha: sha('a') }],
    ['of a task that has another pull request', { status: 'InReview', pr_number: 5, head_sha: sha('a') }],
    [
      'that a person’s answer made another of',
      { status: 'InReview', pr_number: 4, head_sha: sha('a'), episode: 1 },
    ],
  ])('drops a merge %s', async (_, task) => {
    const w = world([merge], task);

    await w.run();

    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({ status: 'dead', error: { code: 'MERGE_NOT_WANTED' } });
  });

  it.each<[string, Partial<Task>]>([
    ['whose approval was taken back', { status: 'InReview', status_reason: 'waits_approval' }],
    ['whose checks have failed since', { status: 'InReview', status_reason: 'checks_red' }],
    ['whose receipt counts no more', { status: 'InReview', status_reason: 'waits_receipt' }],
    ['that was sent back', { status: 'InProgress', status_reason: 'changes_requested' }],
    ['that a person took', { status: 'HumanAssigned', status_reason: 'assign-human' }],
    ['that is blocked', { status: 'Blocked', status_reason: 'issue_closed' }],
  ])('merges no pull request of a task %s, and it when that is over', async (_, task) => {
    const at = { pr_number: 4, head_sha: sha('a') };
    const w = world([merge], { ...at, ...task });
    await w.run();
    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({
      status: 'failed',
      attempts: 0,
      error: { code: 'ACTION_OVERTAKEN', retryable: true },
    });

    const before = await w.store.state.load('sprint-1');
    const approved: Task = { ...exampleTask, ...at, status: 'InReview', status_reason: 'merging' };
    const state = { ...before.state, tasks: { 'login-form': approved } };
    w.store.sprints.set('sprint-1', { ...before, state });
    await w.run();
    expect(w.row(merge)?.status).toBe('done');
  });

  it('waits a moment for a forge that does not know yet, longer than for any other failure', async () => {
    const w = world([merge]);
    w.forge.pulls[0] = pullOf(4, { mergeable: null });

    for (let n = 0; n < 6; n += 1) {
      await w.run();
      expect(w.row(merge)).toMatchObject({
        status: 'failed',
        error: { code: 'MERGE_NOT_KNOWN_YET', retryable: true },
      });
      w.later(2_000);
    }
    w.forge.pulls[0] = pullOf(4);

    expect((await w.run()).actions_taken).toEqual(['merge:PR#4']);
  });
});

describe('a host that says “not mergeable” of a conflict, and of what it is still looking at', () => {
  const behind = `main...${sha('a')}`;
  const unclear = (looks: number) => {
    const w = world([merge]);
    w.forge.pulls[0] = pullOf(4, { mergeable: false, merge_state: null });
    const look = async () => {
      for (let n = 0; n < looks; n += 1) {
        await w.run();
        w.later(2_000);
      }
    };
    return { w, look };
  };

  it('5.5.5 is asked again, and its pull request merged when it has looked', async () => {
    const { w, look } = unclear(19);
    w.forge.comparisons.set(behind, { behind: 1 });
    await look();
    expect(w.row(merge)).toMatchObject({
      status: 'failed',
      attempts: 19,
      error: { code: 'MERGE_NOT_KNOWN_YET', retryable: true },
    });

    w.forge.pulls[0] = pullOf(4, { merge_state: null });
    expect((await w.run()).actions_taken).toEqual(['merge:PR#4']);
  });

  it('5.5.5 means a conflict when it still says so after 40 seconds', async () => {
    const { w, look } = unclear(20);
    w.forge.comparisons.set(behind, { behind: 1 });

    await look();

    expect(w.forge.calls).not.toContain('merge');
    expect(w.row(merge)).toMatchObject({
      status: 'dead',
      attempts: 20,
      error: { code: 'FORGE_NOT_MERGEABLE', retryable: false },
    });
  });

  it('5.5.5 never means a conflict of a head that has all of its base: a person is asked, and not its author', async () => {
    const { w, look } = unclear(20);

    await look();

    expect(w.row(merge)).toMatchObject({ status: 'dead', error: { code: 'MERGE_NOT_KNOWN_YET' } });
  });

  it('5.5.5 means a conflict where it cannot compare either', async () => {
    const { w, look } = unclear(20);
    w.forge.faults.set('compare', [{ error: forgeError('FORGE_NOT_FOUND') }]);

    await look();

    expect(w.row(merge)).toMatchObject({ status: 'dead', error: { code: 'FORGE_NOT_MERGEABLE' } });
  });

  it('5.5.5 is asked again when it refuses what it called mergeable, and says “not mergeable” then', async () => {
    const w = world([merge]);
    const refused = { error: forgeError('FORGE_MERGE_UNSETTLED', true) };
    w.forge.faults.set(
      'merge',
      Array.from({ length: 7 }, () => refused),
    );
    for (let n = 0; n < 7; n += 1) {
      await w.run();
      expect(w.row(merge)).toMatchObject({ status: 'failed', attempts: n + 1 });
      w.later(10_000);
    }

    expect((await w.run()).actions_taken).toEqual(['merge:PR#4']);
  });
});

describe('mark_done', () => {
  it('5.5.7 labels, says by which pull request, and closes', async () => {
    const w = world([done]);

    expect((await w.run()).actions_taken).toEqual(['done:#1']);
    expect(w.forge.issues[0]).toMatchObject({ state: 'closed', labels: ['caloron:task', 'caloron:done'] });
    expect(w.forge.comments.map(({ body }) => body.split('\n')[0])).toEqual(['Completed via PR #4']);
  });
});

describe('escalate', () => {
  it('5.5.9 opens an issue that names task, cause and pull request', async () => {
    const w = world([escalate]);

    expect((await w.run()).actions_taken).toEqual(['escalate:agent-1']);
    const issue = w.forge.issues[1];
    expect(issue).toMatchObject({
      title: 'Escalation: login-form — agent_stalled',
      labels: ['caloron:escalated'],
    });
    expect(issue?.body).toContain('Please look.');
    expect(issue?.body).toContain('#4');
    expect(w.row(escalate)?.result).toEqual({ issue_number: 5 });
  });

  it('5.5.9 uses the open one of the same cause again', async () => {
    const second = action('escalate', { ...escalate, cause: 'agent_stalled:1' });
    const w = world([escalate]);
    await w.run();
    w.store.intend(second);

    await w.run();

    expect(w.forge.issues).toHaveLength(2);
    expect(w.forge.comments).toMatchObject([{ issue_number: 5 }]);
    expect(w.row(second)?.result).toMatchObject({ issue_number: 5 });
  });

  it.each<[string, (w: ReturnType<typeof world>) => Action]>([
    ['another cause', () => action('escalate', { ...escalate, cause: 'x:0', reason_code: 'merge_conflict' })],
    [
      'one that was closed',
      ({ forge }) => {
        const last = forge.issues.pop();
        if (last !== undefined) forge.issues.push({ ...last, state: 'closed' });
        return action('escalate', { ...escalate, cause: 'agent_stalled:1' });
      },
    ],
  ])('opens a new one for %s', async (_, next) => {
    const w = world([escalate]);
    await w.run();
    w.store.intend(next(w));

    await w.run();

    expect(w.forge.issues).toHaveLength(3);
  });

  it('5.5.11 mentions the people of the sprint, assigns it to them, and mentions nobody else', async () => {
    const message = 'Please look. The host said: ask @mallory and @all, or write to a@example.org.';
    const first = action('escalate', { ...escalate, message });
    const again = action('escalate', { ...first, cause: 'agent_stalled:1' });
    const w = world([first], {}, { human_logins: ['ada', 'grace', 'not a login'] });
    await w.run();
    w.store.intend(again);
    await w.run();

    expect(w.forge.issues[1]?.body).toMatch(/^@ada @grace: Please look\./);
    expect(w.forge.comments[0]?.body).toMatch(/^@ada @grace: Please look\./);
    expect(w.forge.assigned.get(5)).toEqual(['ada', 'grace']);
    const mentions = [w.forge.issues[1], w.forge.comments[0]].flatMap((one) =>
      one?.body.match(/(?<!\w)@\w+/g),
    );
    expect(new Set(mentions)).toEqual(new Set(['@ada', '@grace']));
  });

  it.each(['FORGE_INVALID', 'FORGE_NOT_FOUND'])(
    '5.5.11 is opened for nobody where the host answers %s to their being assigned',
    async (code) => {
      const w = world([escalate]);
      w.forge.faults.set('createIssue', [{ error: forgeError(code) }]);

      expect((await w.run()).errors).toEqual([]);
      expect(w.forge.issues[1]?.body).toContain('@ada');
      expect(w.forge.assigned.size).toBe(0);
    },
  );

  it('speaks for the whole sprint when it is about no task', async () => {
    const w = world([action('escalate', { ...escalate, task_id: null, agent_id: null })]);

    expect((await w.run()).errors).toEqual([]);
    expect(w.forge.issues[1]?.title).toBe('Escalation: sprint-1 — agent_stalled');
  });
});

describe('our hidden lines, written by somebody else', () => {
  const mallory = { author: 'mallory' } as const;

  it('5.4.8 keep no comment of ours from being written', async () => {
    const w = world([done]);
    w.forge.comments.push(commentOf(9, 1, { ...mallory, body: hidden(done) }));

    await w.run();

    expect(w.forge.comments.map(({ body }) => body.split('\n')[0])).toContain('Completed via PR #4');
  });

  it("5.4.8 make no issue of a stranger's the task's", async () => {
    const w = world([createIssue]);
    w.forge.issues[0] = issueOf(1, { ...mallory, body: marker, labels: ['caloron:task'] });

    expect((await w.run()).issues_created).toEqual([5]);
  });

  it.each(['open', 'closed'] as const)(
    '5.4.8 keep no escalation from people, in an issue that is %s',
    async (state) => {
      const w = world([escalate]);
      await w.run();
      const body = w.forge.issues.pop()?.body ?? '';
      w.forge.issues.push(issueOf(5, { ...mallory, state, body, labels: ['caloron:escalated'] }));
      w.forget(escalate);

      await w.run();

      expect(w.forge.issues.map(({ author }) => author)).toEqual(['caloron-bot', 'mallory', 'caloron-bot']);
    },
  );

  it('are known as ours by the login of the token too', async () => {
    const w = world([done], {}, { agent_logins: ['another-bot'] });
    await w.run();
    w.forget(done);
    await w.run();

    expect(w.forge.comments).toHaveLength(1);
  });
});
