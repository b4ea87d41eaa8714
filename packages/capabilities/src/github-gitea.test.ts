import { describe, expect, it } from 'vitest';

import { hostOfEachTest, OTHER_SHA, SHA, wireIssue, wirePull } from './testing/scripted-host.ts';

const host = hostOfEachTest();

async function pullWith(more: object) {
  host.script({ 'GET /repos/acme/app/pulls/3': { json: wirePull(3, more) } });
  return host.open().pull(3);
}

describe('the branch of a pull request', () => {
  const side = (ref: string, label?: string, full_name = 'acme/app') => ({
    head: { ...(label === undefined ? {} : { label }), ref, sha: SHA, repo: { full_name } },
  });

  it.each([
    ['of a branch that is there', side('work', 'work'), 'work'],
    ['whose branch is gone, on Gitea', side('refs/pull/3/head', 'caloron/s/t'), 'caloron/s/t'],
    ['whose branch is gone, with its owner', side('refs/pull/3/head', 'acme:caloron/s/t'), 'caloron/s/t'],
    ['that has no branch at all, on Gitea', side('refs/pull/3/head', ''), 'refs/pull/3/head'],
    ['that is told without a label', side('refs/pull/3/head'), 'refs/pull/3/head'],
    ['whose branch has the name of another one’s ref', side('refs/pull/4/head', 'work'), 'refs/pull/4/head'],
    ['of a branch GitHub gives a label with its owner', side('work', 'acme:other'), 'work'],
  ])('%s has its name', async (_, head, name) => {
    expect((await pullWith(head)).head_ref).toBe(name);
  });

  it('in another repository stays one of another repository when it is gone', async () => {
    const pull = await pullWith(side('refs/pull/3/head', 'caloron/s/t', 'mallory/app'));

    expect(pull).toMatchObject({ head_ref: 'caloron/s/t', fork: true });
  });

  it('that is gone finds its pull request', async () => {
    const gone = wirePull(3, side('refs/pull/3/head', 'caloron/s/t'));
    host.script({ 'GET /repos/acme/app/pulls': { json: [gone, wirePull(4, side('other'))] } });

    const found = await host.open().pullsOfBranch('caloron/s/t');

    expect(found.map(({ number }) => number)).toEqual([3]);
  });
});

describe('a deleted account', () => {
  it.each([
    ['null', null],
    ['a user without a name', { id: 0, login: '' }],
    ['Gitea’s Ghost', { id: -1, login: 'Ghost' }],
  ])('told as %s is nobody', async (_, user) => {
    const issue = wireIssue(4, '2026-04-14T08:00:00Z', { user });
    host.script({ 'GET /repos/acme/app/issues/4': { json: issue } });

    expect((await host.open().issue(4)).author).toBeNull();
  });

  it.each([{ id: 7, login: 'Ghost' }, { login: 'Ghost' }, { id: -2, login: 'gitea-actions' }])(
    'is not %j',
    async (user) => {
      expect((await pullWith({ user })).author).toBe(user.login);
    },
  );
});

describe('a draft', () => {
  const told = { head: { ref: 'x', sha: OTHER_SHA, repo: { full_name: 'acme/app' } } };

  it.each([
    ['that says so', { draft: true, title: 'Add x' }, true],
    ['that was marked as ready, whatever its title', { draft: false, title: 'WIP: x' }, false],
    ['of an older Gitea, by its title', { draft: undefined, title: 'WIP: x' }, true],
    ['of an older Gitea, in brackets and small letters', { draft: undefined, title: '[wip] x' }, true],
    ['of an older Gitea that is none', { draft: undefined, title: 'Add WIP: x' }, false],
  ])('%s is known as one, or as none', async (_, more, draft) => {
    expect((await pullWith({ ...told, ...more })).draft).toBe(draft);
  });
});
