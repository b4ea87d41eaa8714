import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  failure,
  OTHER_SHA,
  scriptedHost,
  SHA,
  wirePull,
  type ScriptedHost,
} from './testing/scripted-host.ts';

let host: ScriptedHost;

beforeEach(async () => {
  host = await scriptedHost();
});

afterEach(() => host.close());

describe('a merge', () => {
  const merge = { sha: SHA, method: 'squash' } as const;
  const head = (sha: string) => ({ ref: 'x', sha, repo: { full_name: 'acme/app' } });

  it('sends sha and method and gives the merge commit', async () => {
    host.script({ 'PUT /repos/acme/app/pulls/3/merge': { json: { sha: OTHER_SHA, merged: true } } });

    expect(await host.open().merge(3, merge)).toEqual({ merge_sha: OTHER_SHA });
    expect(host.requests[0]?.body).toEqual({ sha: SHA, merge_method: 'squash' });
  });

  it.each([
    [405, SHA, 'FORGE_NOT_MERGEABLE'],
    [409, SHA, 'FORGE_NOT_MERGEABLE'],
    [405, OTHER_SHA, 'FORGE_HEAD_MOVED'],
    [409, OTHER_SHA, 'FORGE_HEAD_MOVED'],
    [422, OTHER_SHA, 'FORGE_HEAD_MOVED'],
    [422, SHA, 'FORGE_INVALID'],
    [403, OTHER_SHA, 'FORGE_FORBIDDEN'],
  ])('answered %i at head %s is %s, not retryable', async (status, sha, code) => {
    host.script({
      'PUT /repos/acme/app/pulls/3/merge': { status, json: { message: 'no' } },
      'GET /repos/acme/app/pulls/3': { json: wirePull(3, { head: head(sha) }) },
    });

    expect(await failure(host.open().merge(3, merge))).toMatchObject({ code, retryable: false });
  });
});
