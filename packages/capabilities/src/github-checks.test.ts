import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { type Answer, type ScriptedHost, scriptedHost, SHA } from './testing/scripted-host.ts';

let host: ScriptedHost;

beforeEach(async () => {
  host = await scriptedHost();
});

afterEach(() => host.close());

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
