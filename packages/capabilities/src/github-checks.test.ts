import { describe, expect, it } from 'vitest';

import type { CachedForgeAnswer } from './github-cache.ts';
import { type Answer, hostOfEachTest, SHA } from './testing/scripted-host.ts';

const host = hostOfEachTest();

const STATUS = `GET /repos/acme/app/commits/${SHA}/status`;
const RUNS = `GET /repos/acme/app/commits/${SHA}/check-runs`;

/** The checks of a commit with this combined status and these check runs. */
async function checksOf(status: Answer, check_runs: readonly object[] = []) {
  host.script({ [STATUS]: status, [RUNS]: { json: { total_count: check_runs.length, check_runs } } });
  return host.open().checks(SHA);
}

describe('the word of a combined status', () => {
  it.each([
    ['success', 'green'],
    ['pending', 'pending'],
    ['failure', 'red'],
    ['error', 'red'],
    ['warning', 'red'],
    ['skipped', 'red'],
    ['', 'red'],
    ['SUCCEEDED_MAYBE', 'red'],
    ['__proto__', 'red'],
  ])('%j is %s: only the word for success lets a merge pass', async (state, expected) => {
    expect(await checksOf({ json: { state, total_count: 1 } })).toBe(expected);
  });

  it('that is absent beside entries is pending', async () => {
    expect(await checksOf({ json: { state: null, statuses: [{}] } })).toBe('pending');
  });
});

describe('the word of a check run', () => {
  it.each([
    ['completed', 'success', 'green'],
    ['completed', 'neutral', 'green'],
    ['completed', 'skipped', 'green'],
    ['completed', 'stale', 'red'],
    ['completed', 'startup_failure', 'red'],
    ['completed', 'a word of next year', 'red'],
    ['completed', null, 'red'],
    ['waiting', null, 'pending'],
    ['a word of next year', 'success', 'pending'],
  ])('%j with %j is %s', async (status, conclusion, expected) => {
    expect(await checksOf({ json: { total_count: 0 } }, [{ status, conclusion }])).toBe(expected);
  });
});

describe('the statuses of a commit on Gitea', () => {
  const STATUS_THERE = `GET /api/v1/repos/acme/app/commits/${SHA}/status`;
  const open = () => host.open({ host: `${host.url}/api/v1` });

  it('are none when it answers with nothing, as it does where no status stands', async () => {
    host.script({ [STATUS_THERE]: { status: 200, headers: { 'content-length': '0' }, html: '' } });

    expect(await open().checks(SHA)).toBe('none');
  });

  it('are none when it answers with an empty combination', async () => {
    host.script({ [STATUS_THERE]: { json: { state: '', sha: '', total_count: 0, statuses: null } } });

    expect(await open().checks(SHA)).toBe('none');
  });

  it('are read over all pages: it combines one page alone', async () => {
    const page = (state: string, count: number): Answer => ({
      headers: { 'x-total-count': '51' },
      json: { state, total_count: count, statuses: Array.from({ length: count }, () => ({ status: state })) },
    });
    host.script({
      [STATUS_THERE]: ({ url }) => (url.includes('page=2') ? page('failure', 1) : page('success', 50)),
    });

    expect(await open().checks(SHA)).toBe('red');
    expect(host.requests.map(({ url }) => url.split('?')[1])).toEqual(['limit=50', 'limit=50&page=2']);
  });

  it('are not asked for without end when a host counts more than it gives', async () => {
    host.script({
      [STATUS_THERE]: ({ url }) => ({
        headers: { 'x-total-count': '1000000' },
        json: url.includes('page=')
          ? { state: '', total_count: 0, statuses: null }
          : { state: 'success', total_count: 1, statuses: [{ status: 'success' }] },
      }),
    });

    expect(await open().checks(SHA)).toBe('green');
    expect(host.requests).toHaveLength(2);
  });
});

describe('the checks of a commit that are asked for again', () => {
  function memoryCache() {
    const rows = new Map<string, CachedForgeAnswer>();
    return {
      rows,
      get: (key: string) => Promise.resolve(rows.get(key)),
      put: (key: string, answer: CachedForgeAnswer) => Promise.resolve(void rows.set(key, answer)),
    };
  }

  /** A host whose combined status is `state()`, with ETags. */
  function serve(state: () => string): void {
    const answer = (seen: { headers: { 'if-none-match'?: string | undefined } }, json: object): Answer => {
      const etag = `"${JSON.stringify(json).length}-${state()}"`;
      return seen.headers['if-none-match'] === etag
        ? { status: 304, headers: { etag } }
        : { json, headers: { etag } };
    };
    const runs = { total_count: 1, check_runs: [{ status: 'completed', conclusion: 'success' }] };
    host.script({
      [STATUS]: (seen) => answer(seen, { state: state(), total_count: 1 }),
      [RUNS]: (seen) => answer(seen, runs),
    });
  }

  it('cost two 304s and say the same', async () => {
    const cache = memoryCache();
    serve(() => 'pending');
    expect(await host.open({ cache }).checks(SHA)).toBe('pending');

    expect(await host.open({ cache }).checks(SHA)).toBe('pending');

    expect(host.requests.slice(2).map(({ headers }) => headers['if-none-match'])).toEqual([
      expect.any(String),
      expect.any(String),
    ]);
    expect([...cache.rows.keys()].join(' ')).not.toContain('ghp_');
  });

  it('say what they have become', async () => {
    const cache = memoryCache();
    let state = 'pending';
    serve(() => state);
    await host.open({ cache }).checks(SHA);
    state = 'failure';

    expect(await host.open({ cache }).checks(SHA)).toBe('red');
  });

  it.each(['{', '["blue"]', 'null'])('survive a damaged cache row: %j', async (body) => {
    const cache = memoryCache();
    serve(() => 'success');
    await host.open({ cache }).checks(SHA);
    for (const [key, row] of cache.rows) cache.rows.set(key, { ...row, body });

    expect(await host.open({ cache }).checks(SHA)).toBe('green');
  });

  it('use no ETag of another token', async () => {
    const cache = memoryCache();
    serve(() => 'success');
    await host.open({ cache }).checks(SHA);
    await host.open({ cache, token: 'another' }).checks(SHA);

    expect(host.requests.at(-1)?.headers['if-none-match']).toBeUndefined();
  });
});
