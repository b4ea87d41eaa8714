import { describe, expect, it } from 'vitest';

import { failure, hostOfEachTest, OTHER_SHA, SHA, wireIssue, wirePull } from './testing/scripted-host.ts';

const host = hostOfEachTest();

describe('a merge', () => {
  const merge = { sha: SHA, method: 'squash' } as const;
  const head = (sha: string) => ({ ref: 'x', sha, repo: { full_name: 'acme/app' } });

  it('sends sha and method and gives the merge commit', async () => {
    host.script({ 'PUT /repos/acme/app/pulls/3/merge': { json: { sha: OTHER_SHA, merged: true } } });

    expect(await host.open().merge(3, merge)).toEqual({ merge_sha: OTHER_SHA });
    expect(host.requests[0]?.body).toEqual({ sha: SHA, merge_method: 'squash' });
  });

  it.each([
    ['a head that moved, 405', 405, { head: head(OTHER_SHA) }, 'FORGE_HEAD_MOVED'],
    ['a head that moved, 409', 409, { head: head(OTHER_SHA) }, 'FORGE_HEAD_MOVED'],
    ['a head that moved, 422', 422, { head: head(OTHER_SHA) }, 'FORGE_HEAD_MOVED'],
    ['what the host cannot read', 422, {}, 'FORGE_INVALID'],
    ['what the token may not', 403, { head: head(OTHER_SHA) }, 'FORGE_FORBIDDEN'],
    ['a conflict', 405, { mergeable: false, mergeable_state: 'dirty' }, 'FORGE_NOT_MERGEABLE'],
    [
      'a conflict on Gitea, or what it is still looking at',
      405,
      { mergeable: false, mergeable_state: undefined },
      'FORGE_MERGE_UNSETTLED',
    ],
    [
      'a base that moved on Gitea, or a conflict',
      409,
      { mergeable: false, mergeable_state: undefined },
      'FORGE_MERGE_UNSETTLED',
    ],
    [
      'a draft of an older Gitea',
      405,
      { title: 'WIP: x', draft: undefined, mergeable: false, mergeable_state: undefined },
      'FORGE_MERGE_BLOCKED',
    ],
    [
      'what GitHub is still looking at',
      405,
      { mergeable: false, mergeable_state: 'unknown' },
      'FORGE_MERGE_UNSETTLED',
    ],
    ['a branch that is behind', 405, { mergeable: true, mergeable_state: 'behind' }, 'FORGE_BEHIND'],
    ['a protected branch', 405, { mergeable: true, mergeable_state: 'blocked' }, 'FORGE_MERGE_BLOCKED'],
    [
      'a protected branch, unmergeable',
      405,
      { mergeable: false, mergeable_state: 'blocked' },
      'FORGE_MERGE_BLOCKED',
    ],
    ['a merge method that is off', 405, { mergeable: true, mergeable_state: 'clean' }, 'FORGE_MERGE_BLOCKED'],
    ['a rule on Gitea', 405, { mergeable: true, mergeable_state: undefined }, 'FORGE_MERGE_BLOCKED'],
    ['a draft', 405, { draft: true, mergeable: false }, 'FORGE_MERGE_BLOCKED'],
    ['what is closed', 405, { state: 'closed', mergeable: false }, 'FORGE_MERGE_BLOCKED'],
    [
      'a base that was just moved',
      409,
      { mergeable: true, mergeable_state: 'clean' },
      'FORGE_MERGE_UNSETTLED',
    ],
    ['what the host has to look at again', 405, { mergeable: null }, 'FORGE_MERGE_UNSETTLED'],
  ])('5.5.5 refused for %s (%i) says so by its code', async (_, status, change, code) => {
    host.script({
      'PUT /repos/acme/app/pulls/3/merge': { status, json: { message: 'no' } },
      'GET /repos/acme/app/pulls/3': { json: wirePull(3, change) },
    });

    const retryable = code === 'FORGE_MERGE_UNSETTLED';
    const error = await failure(host.open().merge(3, merge));
    expect(error).toMatchObject({ code, retryable, details: { status, answer: 'no' } });
    if (code === 'FORGE_MERGE_BLOCKED') expect(error.hint).toContain('protection');
  });

  it.each([405, 409, 200])('refused (%i) of what another hand has merged is that merge', async (status) => {
    host.script({
      'PUT /repos/acme/app/pulls/3/merge': { status, json: { merged: false } },
      'GET /repos/acme/app/pulls/3': {
        json: wirePull(3, { state: 'closed', merged_at: '2026-04-14T08:10:00Z', head: head(OTHER_SHA) }),
      },
    });

    expect(await host.open().merge(3, merge)).toEqual({ merge_sha: OTHER_SHA });
  });

  it('refused says of a host that cannot be asked why that it is away', async () => {
    host.script({
      'PUT /repos/acme/app/pulls/3/merge': { status: 405, json: { message: 'no' } },
      'GET /repos/acme/app/pulls/3': { status: 502 },
    });

    expect(await failure(host.open().merge(3, merge))).toMatchObject({
      code: 'FORGE_UNAVAILABLE',
      retryable: true,
    });
  });

  it.each([
    ['has_hooks', 'clean'],
    ['something new', null],
    [undefined, null],
  ])('is told what stands against it in words we know: %s is %s', async (word, state) => {
    host.script({ 'GET /repos/acme/app/pulls/3': { json: wirePull(3, { mergeable_state: word }) } });

    expect((await host.open().pull(3)).merge_state).toBe(state);
  });
});

describe('an issue', () => {
  it('5.5.9 is opened for those who are to look at it, and names nobody else', async () => {
    host.script({
      'POST /repos/acme/app/issues': { status: 201, json: wireIssue(4, '2026-04-14T08:00:00Z') },
    });
    const issue = { title: 'Escalation', body: 'b', labels: [] };

    await host.open().createIssue({ ...issue, assignees: ['ada'] });
    await host.open().createIssue(issue);

    expect(host.requests.map(({ body }) => body)).toEqual([{ ...issue, assignees: ['ada'] }, { ...issue }]);
  });
});
