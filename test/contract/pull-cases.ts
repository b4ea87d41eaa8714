import { expect } from 'vitest';

import { type Case, openPull } from './case.ts';

/** Pull requests, their reviews and the checks of their heads. */
export const PULLS = {
  'pull: is opened and read as it was opened': async (world) => {
    const head_sha = await world.commit('caloron/sprint-1/opened', { 'o.txt': 'o\n' });
    const text = { title: 'Füge hinzu 🚀', body: 'Closes nothing' };

    const { number } = await world.alice.createPull({
      ...text,
      head: 'caloron/sprint-1/opened',
      base: 'main',
    });

    expect(await world.alice.pull(number)).toMatchObject({
      ...text,
      state: 'open',
      draft: false,
      fork: false,
      head_ref: 'caloron/sprint-1/opened',
      head_sha,
      base_ref: 'main',
      author: 'alice',
      merged_at: null,
      merge_sha: null,
    });
  },

  'pull: is found by its branch': async (world) => {
    const { number } = await openPull(world, 'by/branch');
    await openPull(world, 'by/branch-2');

    expect((await world.alice.pullsOfBranch('by/branch')).map((pull) => pull.number)).toEqual([number]);
  },

  'pull: of a branch that has one already is refused': async (world) => {
    await openPull(world, 'twice');
    const again = world.alice.createPull({ title: 'T', body: '', head: 'twice', base: 'main' });

    await expect(again).rejects.toMatchObject({ code: 'FORGE_INVALID', retryable: false });
  },

  'pull: of a branch that is not there is refused': async ({ alice }) => {
    const pull = alice.createPull({ title: 'T', body: '', head: 'no-branch', base: 'main' });

    await expect(pull).rejects.toMatchObject({
      code: expect.stringMatching(/^FORGE_(INVALID|NOT_FOUND)$/) as unknown,
      retryable: false,
    });
  },

  'pull: has its body changed, is closed and opened again': async (world) => {
    const { alice } = world;
    const { number } = await openPull(world, 'changed');

    expect(await alice.updatePull(number, { body: 'new words' })).toMatchObject({ body: 'new words' });
    expect(await alice.updatePull(number, { state: 'closed' })).toMatchObject({ state: 'closed' });
    expect(await alice.updatePull(number, { state: 'open' })).toMatchObject({
      state: 'open',
      closed_at: null,
    });
  },

  'pull: that conflicts is not mergeable, and one that does not is': async (world) => {
    const conflicting = await openPull(world, 'conflict/told', { files: { 'told.txt': 'theirs\n' } });
    await world.commit('main', { 'told.txt': 'ours\n' });
    const clean = await openPull(world, 'conflict/none');

    const verdict = async (number: number) => (await world.alice.pull(number)).mergeable;
    await expect.poll(() => verdict(conflicting.number)).not.toBeNull();
    await expect.poll(() => verdict(clean.number)).not.toBeNull();
    expect([await verdict(conflicting.number), await verdict(clean.number)]).toEqual([false, true]);
  },

  'review: carries verdict, reviewer and commit': async (world) => {
    const { number, head_sha } = await openPull(world, 'reviewed');
    await world.bob.review(number, { event: 'REQUEST_CHANGES', body: 'no 👎', commit_id: head_sha });
    await world.bob.review(number, { event: 'APPROVE', body: 'yes', commit_id: head_sha });

    const reviews = await world.alice.reviews(number);

    expect(reviews.map(({ author, state, body, commit_id }) => [author, state, body, commit_id])).toEqual([
      ['bob', 'changes_requested', 'no 👎', head_sha],
      ['bob', 'approved', 'yes', head_sha],
    ]);
  },

  'review: of one’s own pull request is a comment at most': async (world) => {
    const { alice } = world;
    const { number, head_sha } = await openPull(world, 'own');
    const verdict = { body: 'mine', commit_id: head_sha } as const;
    await alice.review(number, { event: 'COMMENT', ...verdict });

    for (const event of ['APPROVE', 'REQUEST_CHANGES'] as const) {
      await expect(alice.review(number, { event, ...verdict })).rejects.toMatchObject({
        code: 'FORGE_SELF_REVIEW',
      });
    }
    expect((await alice.reviews(number)).map(({ state }) => state)).toEqual(['commented']);
  },

  'review: that was asked for is none': async (world) => {
    const { number } = await openPull(world, 'asked');

    await world.alice.requestReview(number, ['bob']);

    expect(await world.alice.reviews(number)).toEqual([]);
  },

  'checks: of a commit without any are none': async (world) => {
    const sha = await world.commit('checks/none', { 'n.txt': 'n\n' });

    expect(await world.alice.checks(sha)).toBe('none');
  },

  'checks: follow what the CI says': async (world) => {
    const sha = await world.commit('checks/all', { 'c.txt': 'c\n' });
    const seen: string[] = [];
    for (const state of ['pending', 'failure'] as const) {
      await world.setStatus(sha, state);
      seen.push(await world.alice.checks(sha));
    }
    const other = await world.commit('checks/all', { 'd.txt': 'd\n' });
    await world.setStatus(other, 'success');

    expect([...seen, await world.alice.checks(other)]).toEqual(['pending', 'red', 'green']);
  },
} satisfies Record<string, Case>;
