import type { ListCursor } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { hostOfEachTest, SHA, wireIssue, wirePull } from './testing/scripted-host.ts';

const ISSUES = '/repos/acme/app/issues';
const T1 = '2026-04-14T08:01:00Z';
const T2 = '2026-04-14T08:02:00Z';
const T3 = '2026-04-14T08:03:00Z';
const NOW = '2026-04-14T08:30:00Z';
const at = (text: string) => text.replace('Z', '.000Z');

const host = hostOfEachTest();

interface Serving {
  /** The host's own time of each answer. */
  readonly date?: () => string;
  /** Called after a page was made and before it is sent. */
  readonly after?: (page: number) => void;
  readonly size?: number;
}

/** A list in pages, newest first, with an ETag over its first page's content. */
function serveList(path: string, items: () => readonly object[], serving: Serving = {}): void {
  const { date = () => NOW, after = () => undefined, size = 2 } = serving;
  host.script({
    [`GET ${path}`]: (seen) => {
      const page = Number(new URL(seen.url, host.url).searchParams.get('page') ?? '1');
      const json = items().slice((page - 1) * size, page * size);
      const more = items().length > page * size;
      const etag = `"${page}-${Buffer.from(JSON.stringify(items())).toString('base64url').slice(-40)}-${items().length}"`;
      after(page);
      const headers = { etag, date: new Date(date()).toUTCString() };
      if (seen.headers['if-none-match'] === etag) return { status: 304, headers };
      const next = new URL(seen.url, host.url);
      next.searchParams.set('page', String(page + 1));
      const link = more ? { link: `<${next.href}>; rel="next", <x>; rel="last"` } : {};
      return { json, headers: { ...headers, ...link } };
    },
  });
}

/** Reads the issues again and again as ticks do that keep what they read. */
function reader() {
  let from: ListCursor | undefined;
  return async (keep = true) => {
    const read = await host.open().changedIssues(from?.updated_at ?? null, from);
    if (keep) from = read.next;
    return read;
  };
}

const numbers = (items: readonly { readonly number: number }[]) => items.map(({ number }) => number);

describe('changes', () => {
  it('5.4.5 are complete to the cursor, newest first, over all pages', async () => {
    serveList(ISSUES, () => [
      wireIssue(5, T3),
      wireIssue(4, T3),
      wireIssue(3, T2),
      wireIssue(2, T2),
      wireIssue(1, T1),
    ]);

    const { items, cursor, unchanged } = await host.open().changedIssues(at(T2));

    expect(numbers(items)).toEqual([5, 4, 3, 2]);
    expect(cursor).toBe(at(T3));
    expect(unchanged).toBe(false);
  });

  it('5.4.5 of 150 pull requests and of more comments than a page holds are all there', async () => {
    const pulls = Array.from({ length: 150 }, (_, n) => wirePull(150 - n));
    serveList('/repos/acme/app/pulls', () => pulls, { size: 100 });

    expect((await host.open().changedPulls(null)).items).toHaveLength(150);
  });

  it('stop at the first page that passes the cursor', async () => {
    serveList(ISSUES, () => [wireIssue(5, T3), wireIssue(4, T1), wireIssue(3, T1), wireIssue(2, T1)]);

    await host.open().changedIssues(at(T2));

    expect(host.requests).toHaveLength(1);
  });

  it('5.4.3 5.4.4 are asked for by an address that does not change between ticks and carries no time', async () => {
    serveList(ISSUES, () => [wireIssue(1, T1)]);
    const tick = reader();

    await tick();
    await tick();

    const address = '/repos/acme/app/issues?state=all&sort=updated&direction=desc&per_page=100';
    expect(host.requests.map(({ url }) => url)).toEqual([address, address]);
  });

  it('answer an idle tick with one 304, though the newest item stands at the cursor itself', async () => {
    serveList(ISSUES, () => [wireIssue(2, T2), wireIssue(1, T1)]);
    const tick = reader();
    const first = await tick();

    const idle = await tick();

    expect(first.next?.etag).not.toBeNull();
    expect(idle).toEqual({ items: [], unchanged: true, cursor: at(T2), next: first.next });
    expect(JSON.stringify(first.next)).not.toContain('ghp_');
  });

  it('of an empty repository are unchanged by 304 as well', async () => {
    serveList(ISSUES, () => []);
    const tick = reader();

    expect(await tick()).toMatchObject({ items: [], unchanged: true, cursor: null });
    await tick();

    expect(host.requests[1]?.headers['if-none-match']).toBeDefined();
  });

  it('come again for a caller that did not keep them', async () => {
    let items = [wireIssue(1, T1)];
    serveList(ISSUES, () => items);
    const tick = reader();
    await tick();
    items = [wireIssue(2, T2), wireIssue(1, T1)];
    await tick(false);

    expect(numbers((await tick()).items)).toEqual([2]);
    expect((await tick()).unchanged).toBe(true);
  });

  it('5.4.12 of one second are given once, and what came later in that second still is', async () => {
    // Hosts write whole seconds: the first answer was made within the second of its newest item.
    let date = T2;
    let items = [wireIssue(1, T2)];
    serveList(ISSUES, () => items, { date: () => date });
    const tick = reader();
    await tick();
    items = [wireIssue(2, T2), wireIssue(1, T2)];
    date = NOW;

    const second = await tick();

    expect(numbers(second.items)).toContain(2);
    expect((await tick()).unchanged).toBe(true);
    expect(host.requests[2]?.headers['if-none-match']).toBeDefined();
  });

  it('5.4.12 are asked for in full while their second may go on: a review changes no other field', async () => {
    let date = '2026-04-14T08:02:01Z';
    serveList(ISSUES, () => [wireIssue(1, T2)], { date: () => date });
    const tick = reader();
    await tick();

    expect(numbers((await tick()).items)).toEqual([1]);
    expect(host.requests[1]?.headers['if-none-match']).toBeUndefined();
    date = NOW;
    await tick();
    expect((await tick()).unchanged).toBe(true);
  });

  it('5.4.13 that a lagging replica shows late are found, and its older sight of one is none', async () => {
    const late = wireIssue(2, '2026-04-14T08:02:30Z');
    let items = [wireIssue(3, T3), wireIssue(1, T2)];
    serveList(ISSUES, () => items);
    const tick = reader();
    await tick();
    items = [wireIssue(3, T3), late, wireIssue(1, T2)];
    const found = await tick();
    items = [wireIssue(2, '2026-04-14T08:02:10Z', { title: 'before' }), wireIssue(1, T2)];

    const lagging = await tick();

    expect(numbers(found.items)).toEqual([2]);
    expect(lagging).toMatchObject({ items: [], cursor: at(T3) });
  });

  it('are given once though the list is read from before the cursor on', async () => {
    let items = [wireIssue(2, T2), wireIssue(1, T1)];
    serveList(ISSUES, () => items, { size: 100 });
    const tick = reader();
    await tick();
    items = [wireIssue(3, T3), ...items];

    expect(numbers((await tick()).items)).toEqual([3]);
  });

  it.each([1, 2])(
    'are all there when one of them is deleted after page %i was read',
    async (deleted_after) => {
      const items = Array.from({ length: 6 }, (_, n) => wireIssue(9 - n, T3));
      let deleted = false;
      serveList(ISSUES, () => items, {
        after: (page) => {
          if (page !== deleted_after || deleted) return;
          deleted = true;
          items.splice(1, 1);
        },
      });

      const { items: found } = await host.open().changedIssues(null);

      expect(new Set(numbers(found))).toEqual(new Set([9, 8, 7, 6, 5, 4]));
    },
  );

  it('are all there when the one deleted was the only other new one on its page', async () => {
    const items = [wireIssue(5, T3), wireIssue(4, T3), wireIssue(3, T3), wireIssue(2, T1), wireIssue(1, T1)];
    let deleted = false;
    serveList(ISSUES, () => items, {
      after: () => {
        if (!deleted) items.splice(0, 1);
        deleted = true;
      },
    });

    const { items: found } = await host.open().changedIssues(at(T2));

    expect(new Set(numbers(found))).toEqual(new Set([5, 4, 3]));
  });

  it('of one page are read once, however many pages lie before the cursor', async () => {
    let items = Array.from({ length: 6 }, (_, n) => wireIssue(6 - n, n === 0 ? T3 : T2));
    serveList(ISSUES, () => items, { size: 3 });
    const tick = reader();
    await tick();
    const before = host.requests.length;
    items = [wireIssue(7, '2026-04-14T08:03:30Z'), ...items];

    expect(numbers((await tick()).items)).toEqual([7]);
    expect(host.requests.length - before).toBe(3);
  });

  it('need no ETag of a caller that another list version brought no news', async () => {
    let items = [wireIssue(2, T2), wireIssue(1, T1)];
    serveList(ISSUES, () => items);
    const tick = reader();
    await tick();
    items = [wireIssue(2, T2)];
    await tick();

    expect(await tick()).toMatchObject({ unchanged: true, cursor: at(T2) });
  });

  it('use no ETag of another token', async () => {
    serveList(ISSUES, () => [wireIssue(1, T1)]);
    const { next, cursor } = await host.open().changedIssues(null);

    await host.open({ token: 'another' }).changedIssues(cursor, next);

    expect(host.requests[1]?.headers['if-none-match']).toBeUndefined();
  });

  it('keep an ETag with a colon whole', async () => {
    host.script({ [`GET ${ISSUES}`]: { json: [], headers: { etag: 'W/"a:b"', date: 'x' } } });
    const { next } = await host.open().changedIssues(null);

    await host.open().changedIssues(null, next);

    expect(host.requests[1]?.headers['if-none-match']).toBe('W/"a:b"');
  });

  it('5.4.10 show a pull request among the issues, and null for a deleted account or label', async () => {
    serveList(ISSUES, () => [
      wireIssue(1, T1, { user: null, labels: [null, { name: null }, 'x'], pull_request: { url: 'x' } }),
    ]);

    const { items } = await host.open().changedIssues(null);

    expect(items[0]).toMatchObject({ is_pull: true, author: null, labels: ['x'], updated_at: at(T1) });
  });

  it('5.4.17 give comments their issue as a number', async () => {
    serveList('/repos/acme/app/issues/comments', () => [
      {
        id: 9,
        body: 'resolved',
        user: null,
        issue_url: 'https://x/repos/acme/app/issues/12',
        html_url: 'https://x/acme/app/issues/12#issuecomment-9',
        created_at: T1,
        updated_at: T2,
      },
    ]);

    const { items } = await host.open().changedComments(null);

    expect(items).toEqual([
      { id: 9, issue_number: 12, body: 'resolved', author: null, created_at: at(T1), updated_at: at(T2) },
    ]);
  });

  it('tell a fork, a deleted fork and an own branch apart', async () => {
    const head = { ref: 'x', sha: SHA };
    serveList('/repos/acme/app/pulls', () => [
      wirePull(1, { head: { ...head, repo: { full_name: 'mallory/app' } } }),
      wirePull(2, { head: { ...head, repo: null } }),
      wirePull(3, { head: { ...head, repo: { full_name: 'Acme/App' } } }),
    ]);

    const { items } = await host.open().changedPulls(null);

    expect(new Map(items.map(({ number, fork }) => [number, fork]))).toEqual(
      new Map([
        [1, true],
        [2, true],
        [3, false],
      ]),
    );
  });
});

describe('a record that is not what the API promises', () => {
  it.each([
    ['no title', { title: null }, 'issue #1', 'title'],
    ['no time', { updated_at: null }, 'issue #1', 'updated_at'],
    ['a time that is none', { updated_at: 'yesterday' }, 'issue #1', 'updated_at'],
    ['no number', { number: '1' }, 'issue at 1', 'number'],
    ['an id that is none', { number: null, id: '\u001b[2J' }, 'issue at 1', 'number'],
  ])('with %s is left out with its reason, and the others are there', async (_, change, id, path) => {
    serveList(ISSUES, () => [wireIssue(2, T2), wireIssue(1, T1, change)]);

    const { items, skipped } = await host.open().changedIssues(null);

    expect(numbers(items)).toEqual([2]);
    expect(skipped).toMatchObject([{ id, reason: expect.stringContaining(`${path}: `) as string }]);
  });

  it('5.4.11 without a time of its making is read all the same', async () => {
    const comment = { id: 9, body: 'x', user: null, issue_url: 'https://x/issues/12' };
    serveList('/repos/acme/app/issues/comments', () => [{ ...comment, created_at: null, updated_at: T2 }]);

    const { items } = await host.open().changedComments(null);

    expect(items).toMatchObject([{ id: 9, created_at: at(T2) }]);
  });

  it('is an error when there is no other: then this is no such forge', async () => {
    serveList(ISSUES, () => [{ id: 1 }, { id: 2 }]);

    await expect(host.open().changedIssues(null)).rejects.toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
  });

  it('is an error when it is no list', async () => {
    host.script({ [`GET ${ISSUES}`]: { json: { items: [] } } });

    await expect(host.open().changedIssues(null)).rejects.toMatchObject({ code: 'FORGE_ANSWER_INVALID' });
  });
});
