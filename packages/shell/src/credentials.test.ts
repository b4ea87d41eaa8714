import { generateKeyPairSync } from 'node:crypto';

import { fixedClock } from '@caloron/capabilities/clock';
import { type ScriptedHost, scriptedHost } from '@caloron/capabilities/testing/scripted-host';
import type { TokenHostOf } from '@caloron/capabilities/token-hosts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createCredentials } from './credentials.ts';
import { exampleSprint } from './testing/fixture.ts';

const clock = fixedClock('2026-04-14T08:30:00.000Z');
const private_key = generateKeyPairSync('rsa', { modulusLength: 2048 })
  .privateKey.export({ type: 'pkcs1', format: 'pem' })
  .toString();

let host: ScriptedHost;
beforeEach(async () => {
  host = await scriptedHost();
  host.script({
    'GET /repos/acme/widgets/installation': { json: { id: 42 } },
    'POST /app/installations/42/access_tokens': {
      status: 201,
      json: { token: 'ghs_made', expires_at: '2026-04-14T09:30:00Z' },
    },
  });
});
afterEach(() => host.close());

const sprint = () => ({ ...exampleSprint, host: host.url, token_env: 'BOTS', reviewer_token_env: 'REVIEWS' });
const nobody: TokenHostOf = () => null;

describe('the forge token of a role', () => {
  it('is made where a GitHub App stands under the variable, for the repository of the sprint', async () => {
    const env = { BOTS_APP_ID: '7', BOTS_PRIVATE_KEY: private_key, REVIEWS: 'ghp_plain' };
    const credentials = createCredentials(env, ['BOTS', 'REVIEWS'], nobody, clock);

    expect(await credentials.forRole(sprint(), 'author')).toEqual({
      username: 'x-access-token',
      token: 'ghs_made',
      expires_at: '2026-04-14T09:30:00.000Z',
    });
    expect(host.requests.at(-1)?.body).toEqual({ repositories: ['widgets'] });
    expect(await credentials.forRole(sprint(), 'reviewer')).toMatchObject({
      token: 'ghp_plain',
      expires_at: null,
    });
    await credentials.forRole(sprint(), 'author');
    expect(host.requests).toHaveLength(2);
  });

  it('is given as the forge’s client takes it, without the line end of the file it came from', async () => {
    const credentials = createCredentials({ REVIEWS: 'ghp_plain\n' }, ['REVIEWS'], nobody, clock);

    expect(await credentials.forRole(sprint(), 'reviewer')).toMatchObject({ token: 'ghp_plain' });
    const blank = createCredentials({ REVIEWS: ' \n' }, ['REVIEWS'], nobody, clock);
    await expect(blank.forRole(sprint(), 'reviewer')).rejects.toMatchObject({ code: 'CREDENTIAL_MISSING' });
  });

  it('is asked for on no host but its own, allowed or not', async () => {
    const env = { BOTS_APP_ID: '7', BOTS_PRIVATE_KEY: private_key };
    const elsewhere: TokenHostOf = () => 'https://git.example.test';

    await expect(
      createCredentials(env, ['BOTS'], elsewhere, clock).forRole(sprint(), 'author'),
    ).rejects.toMatchObject({
      code: 'CREDENTIAL_OTHER_HOST',
    });
    await expect(createCredentials(env, [], nobody, clock).forRole(sprint(), 'author')).rejects.toMatchObject(
      {
        code: 'CREDENTIAL_NOT_ALLOWED',
      },
    );
    await expect(
      createCredentials({}, ['BOTS'], nobody, clock).forRole(sprint(), 'author'),
    ).rejects.toMatchObject({
      code: 'CREDENTIAL_MISSING',
    });
    expect(host.requests).toEqual([]);
  });
});
