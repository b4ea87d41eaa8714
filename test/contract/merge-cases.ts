import type { MergeMethod } from '@caloron/types';
import { expect } from 'vitest';

import { type Case, NO_COMMIT, openPull } from './case.ts';
import type { ContractWorld } from './host.ts';

async function merges(world: ContractWorld, method: MergeMethod): Promise<void> {
  const { alice } = world;
  const { number, head_sha } = await openPull(world, `merged/${method}`);

  const { merge_sha } = await alice.merge(number, { sha: head_sha, method, title: `Merged by ${method}` });

  expect(await alice.pull(number)).toMatchObject({
    state: 'closed',
    merge_sha,
    merged_at: expect.any(String) as unknown,
    head_sha,
  });
  expect((await alice.commits(1)).map(({ sha }) => sha)).toEqual([merge_sha]);
}

/** What is done with a pull request in the end. */
export const MERGES = {
  'merge: by a merge commit': (world) => merges(world, 'merge'),
  'merge: by a squash': (world) => merges(world, 'squash'),
  'merge: by a rebase': (world) => merges(world, 'rebase'),

  'merge: of a head that moved is refused': async (world) => {
    const { number } = await openPull(world, 'moved');

    const merge = world.alice.merge(number, { sha: NO_COMMIT, method: 'squash' });

    await expect(merge).rejects.toMatchObject({ code: 'FORGE_HEAD_MOVED', retryable: false });
    expect((await world.alice.pull(number)).state).toBe('open');
  },

  'merge: of a conflict is refused and changes nothing': async (world) => {
    const { number, head_sha } = await openPull(world, 'conflict/merged', { files: { 'm.txt': 'theirs\n' } });
    const ours = await world.commit('main', { 'm.txt': 'ours\n' });

    const merge = world.alice.merge(number, { sha: head_sha, method: 'merge' });

    await expect(merge).rejects.toMatchObject({ code: world.conflict_code });
    expect((await world.alice.commits(1)).map(({ sha }) => sha)).toEqual([ours]);
  },

  'merge: twice merges once': async (world) => {
    const { alice } = world;
    const { number, head_sha } = await openPull(world, 'merged-twice');
    const { merge_sha } = await alice.merge(number, { sha: head_sha, method: 'squash' });

    const again = await alice
      .merge(number, { sha: head_sha, method: 'squash' })
      .catch((error: unknown) => error);

    expect([{ merge_sha }, { code: 'FORGE_NOT_MERGEABLE' }]).toContainEqual(
      again instanceof Error && 'code' in again ? { code: again.code } : again,
    );
    expect((await alice.commits(1)).map(({ sha }) => sha)).toEqual([merge_sha]);
  },

  'merge: whose answer was lost is seen in the pull request': async (world) => {
    const { alice, wire } = world;
    const { number, head_sha } = await openPull(world, 'merge-lost');
    wire.loseAnswer(world.merge_verb, `/pulls/${String(number)}/merge`);
    const merge = alice.merge(number, { sha: head_sha, method: 'squash' });

    await expect(merge).rejects.toMatchObject({ code: 'FORGE_UNAVAILABLE', retryable: true });
    const [newest] = await alice.commits(1);
    expect(await alice.pull(number)).toMatchObject({ state: 'closed', merge_sha: newest?.sha });
  },

  'merge: closes the issue its body names': async (world) => {
    const { alice } = world;
    const issue = await alice.createIssue({ title: 'To be closed', body: '', labels: [] });
    const { number, head_sha } = await openPull(world, 'closing', {
      body: `Closes #${String(issue.number)}`,
    });

    await alice.merge(number, { sha: head_sha, method: 'squash' });

    expect((await alice.issue(issue.number)).state).toBe('closed');
  },

  'merge: by a stranger is refused': async (world) => {
    const { number, head_sha } = await openPull(world, 'stranger');

    const merge = world.mallory.merge(number, { sha: head_sha, method: 'squash' });

    await expect(merge).rejects.toMatchObject({ retryable: false });
    expect((await world.alice.pull(number)).state).toBe('open');
  },

  'merge: of a closed pull request is refused': async (world) => {
    const { number, head_sha } = await openPull(world, 'closed');
    await world.alice.updatePull(number, { state: 'closed' });

    const merge = world.alice.merge(number, { sha: head_sha, method: 'squash' });

    await expect(merge).rejects.toMatchObject({ retryable: false });
    expect(await world.alice.pull(number)).toMatchObject({ merged_at: null });
  },

  'branch: is deleted once, and its pull request is known by it still': async (world) => {
    const { alice } = world;
    const { number, head_sha } = await openPull(world, 'gone/after');
    await alice.merge(number, { sha: head_sha, method: 'squash' });

    await alice.deleteBranch('gone/after');
    await alice.deleteBranch('gone/after');

    expect(await alice.pull(number)).toMatchObject({ head_ref: 'gone/after', head_sha });
    expect((await alice.pullsOfBranch('gone/after')).map((pull) => pull.number)).toEqual([number]);
  },
} satisfies Record<string, Case>;
