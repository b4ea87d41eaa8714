import { appTokenIdOf, tokenIdOf } from '@caloron/capabilities/token-id';
import type { ForgeStanding } from '@caloron/store';
import { GITHUB_API } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { limitsOf, limitWords } from './forge-limits.ts';

const NOW = '2026-04-14T08:30:00.000Z';
const environment = {
  token_envs: ['GITHUB_TOKEN', 'GITEA_TOKEN'],
  variables: { GITHUB_TOKEN: ' ghp_secret ', GITEA_TOKEN: '', HOME: 'ghp_secret' },
};
const standing = (more: Partial<ForgeStanding>): ForgeStanding => ({
  host: GITHUB_API,
  token_id: tokenIdOf('ghp_secret'),
  limit: 5000,
  remaining: 4312,
  reset_at: '2026-04-14T08:50:00.000Z',
  kept: 500,
  held: null,
  at: NOW,
  ...more,
});
const told = (more: Partial<ForgeStanding>): readonly string[] =>
  limitsOf([standing(more)], environment, NOW).map(limitWords);

describe('the limits of forges', () => {
  it.each<[Partial<ForgeStanding>, string]>([
    [{}, '4312 of 5000 requests left until 08:50:00 UTC, the last 500 of them for what you type'],
    [{ remaining: null, reset_at: null }, '5000 requests an hour, none asked in this one'],
    [{ limit: null, remaining: null, reset_at: null, kept: 0 }, 'tells of no limit'],
    [
      { remaining: 480, held: { hold: 'kept', until: '2026-04-14T08:50:00.000Z' } },
      'ticks ask it nothing until 08:50:00 UTC: what is left of 5000 requests an hour is kept for people; commands that you type get through',
    ],
    [
      { remaining: 0, held: { hold: 'used_up', until: '2026-04-14T08:50:00.000Z' } },
      'nothing is asked until 08:50:00 UTC: the limit of 5000 requests an hour is used up',
    ],
    [
      { held: { hold: 'slow_down', until: '2026-04-14T08:31:00.000Z' } },
      'nothing is asked until 08:31:00 UTC: the host asks for a slower pace (4312 of 5000 requests left until 08:50:00 UTC, the last 500 of them for what you type)',
    ],
    [
      { limit: null, held: { hold: 'outage', until: '2026-04-14T08:30:40.000Z' } },
      'ticks ask it nothing until 08:30:40 UTC: the host failed several times in a row; commands that you type get through',
    ],
  ])('are told as %j: %s', (more, words) => {
    expect(told(more)).toEqual([`https://api.github.com (GITHUB_TOKEN): ${words}`]);
  });

  it('name a token by its variable, and never show what is in it', () => {
    const [line = ''] = told({ token_id: tokenIdOf('another') });

    expect(line).toMatch(
      /^https:\/\/api\.github\.com \(a token that is not set here, or an app of another repository\): /,
    );
    expect(JSON.stringify(limitsOf([standing({})], environment, NOW))).not.toContain('ghp_secret');
    expect(JSON.stringify(limitsOf([standing({})], environment, NOW))).not.toContain(tokenIdOf('ghp_secret'));
  });

  it('name an app by what it stands under, for the repository its token is for', () => {
    const apps = { ...environment, variables: { GITEA_TOKEN: '', GITEA_TOKEN_APP_ID: '7' } };
    const token_id = appTokenIdOf({ id: '7', installation_id: null }, 'acme/app');
    const named = (repo?: string) =>
      limitsOf([standing({ token_id })], apps, NOW, null, repo).map((one) => one.token_env);

    expect([named('acme/app'), named('acme/other'), named()]).toEqual([['GITEA_TOKEN'], [null], [null]]);
  });

  it('of a host nobody asked for a day are not told, unless it is left alone', () => {
    const at = '2026-04-12T08:30:00.000Z';

    expect(told({ at })).toEqual([]);
    expect(told({ at, held: { hold: 'outage', until: '2026-04-14T08:31:00.000Z' } })).toHaveLength(1);
  });

  it('of the sprint’s host are told alone where it is named', () => {
    const elsewhere = standing({ host: 'https://git.example.org/api/v1' });
    const hosts = (host: string | null) =>
      limitsOf([elsewhere, standing({})], environment, NOW, host).map((one) => one.host);

    expect(hosts(null)).toEqual([GITHUB_API]);
    expect(hosts('https://git.example.org/api/v1/')).toEqual(['https://git.example.org/api/v1']);
  });
});
