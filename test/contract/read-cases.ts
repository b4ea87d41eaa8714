import { expect } from 'vitest';

import { type Case, NO_COMMIT, openPull } from './case.ts';

/** Reading what is there, and being told what is not. */
export const READS = {
  'read: tells whose token it is': async ({ alice, bob }) => {
    expect([await alice.whoami(), await bob.whoami()]).toEqual(['alice', 'bob']);
  },

  'read: gives the repository and its default branch': async ({ alice }) => {
    expect(await alice.info()).toMatchObject({
      full_name: 'alice/app',
      default_branch: 'main',
      private: false,
    });
  },

  'read: lists the newest commits, no more than asked for': async (world) => {
    const sha = await world.commit('main', { 'b.txt': 'b\n' });

    const commits = await world.alice.commits(1);

    expect(commits.map((commit) => commit.sha)).toEqual([sha]);
  },

  'read: knows no unknown token': async (world) => {
    await expect(world.open({ token: 'nobody' }).info()).rejects.toMatchObject({
      code: 'FORGE_UNAUTHORIZED',
    });
  },

  'read: knows no repository of another name': async (world) => {
    await expect(world.open({ repo: 'alice/absent' }).info()).rejects.toMatchObject({
      code: 'FORGE_NOT_FOUND',
    });
  },

  'read: knows no issue and no pull request of another number': async ({ alice }) => {
    await expect(alice.issue(99_999)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
    await expect(alice.pull(99_999)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  },

  'read: gives a pull request by its number as an issue': async (world) => {
    const { number } = await openPull(world, 'as-an-issue');

    expect(await world.alice.issue(number)).toMatchObject({ number, is_pull: true, author: 'alice' });
  },

  'read: counts how far two branches have parted': async (world) => {
    const { alice } = world;
    const side = await world.commit('parted/base', { 'base.txt': 'b\n' });
    await world.commit('parted/head', { 'one.txt': '1\n' });
    const head = await world.commit('parted/head', { 'two.txt': '2\n' });

    expect(await alice.compare('parted/base', 'parted/head')).toMatchObject({ ahead: 2, behind: 1 });
    expect(await alice.compare(side, head)).toMatchObject({ ahead: 2, behind: 1 });
  },

  'read: knows the common ancestor of two branches': async (world) => {
    const fork = await world.commit('main', { 'fork.txt': 'f\n' });
    const side = await world.commit('ancestor/base', { 'base.txt': 'b\n' });
    await world.commit('ancestor/head', { 'head.txt': 'h\n' });

    expect(await world.alice.compare('ancestor/base', 'ancestor/head')).toMatchObject({
      base_sha: side,
      merge_base: fork,
    });
  },

  'read: compares nothing with a commit nobody made': async ({ alice }) => {
    await expect(alice.compare('main', NO_COMMIT)).rejects.toMatchObject({ code: 'FORGE_NOT_FOUND' });
  },
} satisfies Record<string, Case>;
