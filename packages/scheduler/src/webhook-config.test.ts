import { describe, expect, it } from 'vitest';

import { meantIssues, WebhookField, webhookOf } from './webhook-config.ts';

/** What is said of a value, each with its place. */
function problemsOf(value: unknown): readonly string[] {
  const parsed = WebhookField.safeParse(value);
  return parsed.success
    ? []
    : meantIssues(parsed.error.issues).map(({ path, message }) => `${path.join('.')}: ${message}`);
}

describe('the webhook of a job', () => {
  it('is one attempt when it is an address, and five retries when it is an object that says nothing else', () => {
    const url = 'https://hooks.example.com/retro-ready';
    expect(webhookOf(undefined)).toBeNull();
    expect(webhookOf(WebhookField.parse(url))).toEqual({ url, secret_env: null, retries: null });
    expect(webhookOf(WebhookField.parse({ url }))).toEqual({ url, secret_env: null, retries: 5 });
    expect(webhookOf(WebhookField.parse({ url, secret_env: 'HOOK', retries: 0 }))).toEqual({
      url,
      secret_env: 'HOOK',
      retries: 0,
    });
  });

  it.each<[unknown, readonly string[]]>([
    ['ftp://x', [': expected an http or https address']],
    ['no address', [': expected an http or https address']],
    [7, [': expected an address or an object with url, secret_env and retries']],
    [
      { url: 'ftp://x', retries: 10, secret_env: '$HOOK' },
      [
        'url: expected an http or https address',
        'secret_env: expected the name of a variable',
        'retries: expected at most 9',
      ],
    ],
    [{ url: 'http://x', retries: -1 }, ['retries: expected 0 or more']],
    [{ url: 'http://x', secret: 'whsec_x' }, [': Unrecognized key: "secret"']],
  ])('%j is refused with each place that is wrong', (value, problems) => {
    expect(problemsOf(value)).toEqual(problems);
  });
});
