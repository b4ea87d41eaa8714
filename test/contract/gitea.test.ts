import { isConflict } from '@caloron/types';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { filesOf } from './case.ts';
import { type GiteaWorld, scriptedGitea } from './gitea.ts';

let world: GiteaWorld;

beforeEach(async () => {
  world = await scriptedGitea.start();
});

afterEach(() => world.close());

async function openTitled(branch: string, title: string) {
  const head_sha = await world.commit(branch, filesOf(branch));
  const { number } = await world.alice.createPull({ title, body: '', head: branch, base: 'main' });
  const merge = () => world.alice.merge(number, { sha: head_sha, method: 'squash' });
  return { number, merge };
}

/** What only a Gitea does. */
describe('a pull request on Gitea', () => {
  it('that is still looked at is no conflict, and is merged when it has been', async () => {
    const { number, merge } = await openTitled('looked-at', 'Add it');
    const pull = world.state.find(number)?.pull;
    if (pull === undefined || pull === null) throw new Error('no pull request');
    pull.checking = true;

    const seen = await world.alice.pull(number);
    expect([seen.mergeable, isConflict(seen)]).toEqual([false, null]);
    await expect(merge()).rejects.toMatchObject({ code: 'FORGE_MERGE_UNSETTLED', retryable: true });

    pull.checking = false;
    await expect(merge()).resolves.toMatchObject({ merge_sha: expect.any(String) as unknown });
  });

  it.each([
    ['WIP: add it', true],
    ['WIP: add it', false],
    ['[wip] add it', false],
  ])('named “%s” is a draft (told in a field: %s), and no conflict', async (title, has_draft_field) => {
    world.state.has_draft_field = has_draft_field;
    const { number, merge } = await openTitled('draft', title);

    expect(await world.alice.pull(number)).toMatchObject({ draft: true, mergeable: false });
    await expect(merge()).rejects.toMatchObject({ code: 'FORGE_MERGE_BLOCKED', retryable: false });
  });

  it('of an account that was deleted is nobody’s', async () => {
    const { number } = await openTitled('orphan', 'Add it');
    await world.bob.comment(number, 'Looks good');
    world.state.deleted.add('alice').add('bob');

    const comments = await world.mallory.comments(number);
    const { author } = await world.mallory.pull(number);

    expect([author, ...comments.map((comment) => comment.author)]).toEqual([null, null]);
  });
});
