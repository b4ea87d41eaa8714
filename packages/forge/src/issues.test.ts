import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixedClock } from '@caloron/capabilities/clock';
import { appRepo, openPull, testForge, type Clone, type TestForge } from './test-kit.ts';

const at = { owner: 'alice', repo: 'app' } as const;

describe('issues', () => {
  const clock = fixedClock('2026-11-21T10:00:00.000Z');
  let forge: TestForge;
  let clone: Clone;
  beforeAll(async () => {
    forge = await testForge({ clock });
    ({ clone } = await appRepo(forge));
  });
  afterAll(async () => forge.stop());
  const create = async (title: string, labels: string[] = []) =>
    (await forge.as('alice').issues.create({ ...at, title, labels })).data;

  it('writes times in whole seconds', async () => {
    const issue = await create('times');

    expect(issue.created_at).toMatch(/^2026-11-21T10:00:0\dZ$/);
    expect(issue.closed_at).toBeNull();
  });

  it('lists by state, labels and since, newest change first, pull requests among them', async () => {
    const old = await create('old', ['q']);
    clock.advance(60_000);
    const since = clock.now();
    const young = await create('young', ['q', 'r']);
    const pull = await openPull(forge, clone, { branch: 'listed', files: { 'l.txt': 'l' } });
    await forge.as('alice').issues.addLabels({ ...at, issue_number: pull.number, labels: ['q'] });
    await forge.as('alice').issues.createComment({ ...at, issue_number: old.number, body: 'again' });
    const list = async (query: object) =>
      (await forge.as('bob').issues.listForRepo({ ...at, labels: 'q', state: 'all', ...query })).data;

    const changed = await list({ sort: 'updated', since });

    expect(changed.map(({ number }) => number)).toEqual([old.number, pull.number, young.number]);
    expect(changed.map((issue) => 'pull_request' in issue)).toEqual([false, true, false]);
    expect((await list({ labels: 'Q,R' })).map(({ number }) => number)).toEqual([young.number]);
    expect(await list({ state: 'closed' })).toEqual([]);
    await forge.as('alice').issues.update({ ...at, issue_number: young.number, state: 'closed' });
    expect((await list({ state: 'closed' })).map(({ number }) => number)).toEqual([young.number]);
  });

  it('orders changes of the same instant', async () => {
    const [a, b] = [await create('a', ['tie']), await create('b', ['tie'])];
    await forge.as('alice').issues.createComment({ ...at, issue_number: a.number, body: 'x' });

    const { data } = await forge.as('alice').issues.listForRepo({ ...at, labels: 'tie', sort: 'updated' });

    expect(data.map(({ number }) => number)).toEqual([a.number, b.number]);
  });

  it('closes with a reason, reopens, and tells both as events', async () => {
    const { number: issue_number } = await create('closing');
    const alice = forge.as('alice');

    const closed = await alice.issues.update({
      ...at,
      issue_number,
      state: 'closed',
      state_reason: 'not_planned',
    });
    const opened = await alice.issues.update({ ...at, issue_number, state: 'open' });

    expect(closed.data).toMatchObject({
      state: 'closed',
      state_reason: 'not_planned',
      closed_by: { login: 'alice' },
    });
    expect(opened.data).toMatchObject({
      state: 'open',
      state_reason: 'reopened',
      closed_at: null,
      closed_by: null,
    });
    const { data } = await alice.issues.listEvents({ ...at, issue_number });
    expect(data.map(({ event }) => event)).toEqual(['closed', 'reopened']);
    const all = await alice.issues.listEventsForRepo(at);
    expect(all.data[0]).toMatchObject({
      event: 'reopened',
      issue: { number: issue_number },
      actor: { login: 'alice' },
    });
    await expect(
      forge.fetch(`/repos/alice/app/issues/${issue_number}`, {
        as: 'alice',
        method: 'PATCH',
        body: '{"state":"done"}',
      }),
    ).resolves.toMatchObject({ status: 422 });
  });

  it('D7 makes unknown labels, takes them in any case, and says when one is not there', async () => {
    const { number: issue_number } = await create('labels');
    const alice = forge.as('alice');

    const added = await alice.issues.addLabels({ ...at, issue_number, labels: ['Fresh', 'other'] });
    const again = await alice.issues.addLabels({ ...at, issue_number, labels: ['fresh'] });
    const left = await alice.issues.removeLabel({ ...at, issue_number, name: 'FRESH' });

    expect(added.data.map(({ name }) => name)).toEqual(['Fresh', 'other']);
    expect(again.data).toHaveLength(2);
    expect(left.data.map(({ name }) => name)).toEqual(['other']);
    await expect(alice.issues.removeLabel({ ...at, issue_number, name: 'fresh' })).rejects.toMatchObject({
      status: 404,
      message: expect.stringContaining('Label does not exist'),
    });
    const { data } = await alice.issues.listEvents({ ...at, issue_number });
    expect(data.map(({ event }) => event)).toEqual(['labeled', 'labeled', 'unlabeled']);
  });

  it('keeps labels unique, with their colour and words', async () => {
    const alice = forge.as('alice');
    const made = await alice.issues.createLabel({
      ...at,
      name: 'caloron:done',
      color: '0E8A16',
      description: 'd',
    });

    const got = await alice.issues.getLabel({ ...at, name: 'caloron:done' });

    expect(made.status).toBe(201);
    expect(got.data).toMatchObject({ name: 'caloron:done', color: '0e8a16', description: 'd' });
    await expect(alice.issues.createLabel({ ...at, name: 'Caloron:Done' })).rejects.toMatchObject({
      status: 422,
      response: { data: { errors: [{ code: 'already_exists', field: 'name', resource: 'Label' }] } },
    });
    await expect(alice.issues.getLabel({ ...at, name: 'nope' })).rejects.toMatchObject({ status: 404 });
  });

  it('lists the comments of a repository and of an issue since an instant', async () => {
    const [a, b] = [await create('c1'), await create('c2')];
    const alice = forge.as('alice');
    await alice.issues.createComment({ ...at, issue_number: a.number, body: 'before' });
    clock.advance(60_000);
    const since = clock.now();
    const made = await alice.issues.createComment({ ...at, issue_number: b.number, body: 'äfter <b>' });
    await alice.issues.updateComment({ ...at, comment_id: made.data.id, body: 'äfter' });

    const all = await alice.issues.listCommentsForRepo({ ...at, since, sort: 'updated', direction: 'desc' });
    const none = await alice.issues.listComments({ ...at, issue_number: a.number, since });
    const one = await alice.issues.listComments({ ...at, issue_number: a.number });

    expect(all.data.map(({ body }) => body)).toEqual(['äfter']);
    expect(all.data[0]).toMatchObject({
      issue_url: expect.stringMatching(new RegExp(`/issues/${b.number}$`)),
    });
    expect(none.data).toEqual([]);
    expect(one.data.map(({ body }) => body)).toEqual(['before']);
  });

  it('lets a reader open issues and comment, and sort nothing', async () => {
    await forge.as('alice').repos.removeCollaborator({ ...at, username: 'carol' });
    const carol = forge.as('carol');

    const { data } = await carol.issues.create({ ...at, title: 'from outside', labels: ['q'] });

    expect(data.labels).toEqual([]);
    const issue_number = data.number;
    await carol.issues.createComment({ ...at, issue_number, body: 'hello' });
    await carol.issues.update({ ...at, issue_number, state: 'closed' });
    await expect(carol.issues.addLabels({ ...at, issue_number, labels: ['q'] })).rejects.toMatchObject({
      status: 403,
    });
    await expect(carol.issues.update({ ...at, issue_number: 1, title: 'mine' })).rejects.toMatchObject({
      status: 403,
    });
  });

  it('shows the whole timeline in order', async () => {
    const { number: issue_number } = await create('timeline');
    const alice = forge.as('alice');
    await alice.issues.createComment({ ...at, issue_number, body: 'first' });
    await alice.issues.addLabels({ ...at, issue_number, labels: ['then'] });

    const { data } = await alice.issues.listEventsForTimeline({ ...at, issue_number });

    expect(data.map(({ event }) => event)).toEqual(['commented', 'labeled']);
  });
});
