import type {
  ForgeChanges,
  ForgeComment,
  ForgeIssue,
  ForgePull,
  ForgeRepo,
  ListCursor,
  Timestamp,
} from '@caloron/types';
import { expect } from 'vitest';

import { type Case, openPull } from './case.ts';

type Poll<T> = (cursor: Timestamp | null, from?: ListCursor) => Promise<ForgeChanges<T>>;

/** The three lists a tick reads. */
const listsOf = (forge: ForgeRepo) => ({
  issues: ((cursor, from) => forge.changedIssues(cursor, from)) satisfies Poll<ForgeIssue>,
  pulls: ((cursor, from) => forge.changedPulls(cursor, from)) satisfies Poll<ForgePull>,
  comments: ((cursor, from) => forge.changedComments(cursor, from)) satisfies Poll<ForgeComment>,
});

/** Polls on from an answer as a tick does that has kept it. */
function on<T>(poll: Poll<T>, last: ForgeChanges<T>): Promise<ForgeChanges<T>> {
  return last.next === undefined ? poll(last.cursor) : poll(last.cursor, last.next);
}

/** Polls until nothing is new: for two seconds a host may change an item without a later time. */
async function idle<T>(poll: Poll<T>): Promise<ForgeChanges<T>> {
  let last = await poll(null);
  await expect
    .poll(
      async () => {
        last = await on(poll, last);
        return last.items.length;
      },
      { timeout: 30_000, interval: 200 },
    )
    .toBe(0);
  return last;
}

/** More than the largest page of any host. */
const MANY = 105;

/** What changed, each thing told. */
export const POLLS = {
  'poll: tells an issue, a change of it and its closing': async ({ alice }) => {
    const { number } = await alice.createIssue({ title: 'Polled', body: '', labels: [] });
    const first = await alice.changedIssues(null);
    await alice.addLabels(number, ['caloron:changed']);
    const second = await on(listsOf(alice).issues, first);
    await alice.closeIssue(number);
    const third = await on(listsOf(alice).issues, second);

    const seen = [first, second, third].map(({ items }) => items.find((item) => item.number === number));
    expect(seen).toMatchObject([
      { state: 'open', labels: [] },
      { state: 'open', labels: ['caloron:changed'] },
      { state: 'closed', labels: ['caloron:changed'] },
    ]);
  },

  'poll: tells a pull request among the issues too': async (world) => {
    const { number } = await openPull(world, 'polled-as-issue');

    const { items } = await world.alice.changedIssues(null);

    expect(items.find((item) => item.number === number)).toMatchObject({ is_pull: true });
  },

  'poll: tells a pull request, its new head and its closing': async (world) => {
    const { alice } = world;
    const pull = await openPull(world, 'polled/pull');
    const first = await alice.changedPulls(null);
    const head = await world.commit('polled/pull', { 'more.txt': 'more\n' });
    await alice.updatePull(pull.number, { body: 'pushed' });
    const second = await on(listsOf(alice).pulls, first);
    await alice.updatePull(pull.number, { state: 'closed' });
    const third = await on(listsOf(alice).pulls, second);

    const seen = [first, second, third].map(({ items }) => items.find((item) => item.number === pull.number));
    expect(seen).toMatchObject([
      { state: 'open', head_sha: pull.head_sha, head_ref: 'polled/pull', base_ref: 'main', fork: false },
      { state: 'open', head_sha: head },
      { state: 'closed', merged_at: null },
    ]);
  },

  'poll: tells the comments of the whole repository with their issue': async (world) => {
    const { alice, bob } = world;
    const issue = await alice.createIssue({ title: 'T', body: '', labels: [] });
    const pull = await openPull(world, 'commented');
    const before = await alice.changedComments(null);
    await bob.comment(issue.number, 'on the issue');
    await bob.comment(pull.number, 'on the pull request');

    const { items } = await on(listsOf(alice).comments, before);

    expect(items.map((item) => [item.issue_number, item.body])).toEqual(
      expect.arrayContaining([
        [issue.number, 'on the issue'],
        [pull.number, 'on the pull request'],
      ]),
    );
  },

  'poll: is complete over all pages': async (world) => {
    const { alice, wire } = world;
    await world.fill(MANY);
    wire.taken();

    const { items } = await alice.changedIssues(null);

    expect(items.filter(({ title }) => title === 'one of many')).toHaveLength(MANY);
    expect(new Set(items.map(({ number }) => number)).size).toBe(items.length);
    expect(wire.taken().length).toBeGreaterThan(1);
  },

  'poll: is newest first and ends at its cursor': async ({ alice }) => {
    const { items, cursor } = await alice.changedIssues(null);

    const times = items.map(({ updated_at }) => Date.parse(updated_at));
    expect(times).toEqual([...times].sort((a, b) => b - a));
    expect(Date.parse(cursor ?? '')).toBe(times[0]);
  },

  'poll: tells nothing twice once it has settled': async ({ alice }) => {
    await idle(listsOf(alice).issues);
    await idle(listsOf(alice).pulls);
  },

  'poll: is three times 304 when nothing is new': async ({ alice, wire }) => {
    const issues = await idle(listsOf(alice).issues);
    const pulls = await idle(listsOf(alice).pulls);
    const comments = await idle(listsOf(alice).comments);
    wire.taken();

    await on(listsOf(alice).issues, issues);
    await on(listsOf(alice).pulls, pulls);
    await on(listsOf(alice).comments, comments);

    expect(wire.taken().map(({ status }) => status)).toEqual([304, 304, 304]);
  },
} satisfies Record<string, Case>;
