import { describe, expect, it } from 'vitest';

import { classify } from './classify.ts';

const NOW = '2026-04-14T08:30:00.000Z';
const facts = { provider: 'anthropic', now: NOW, zone: 'UTC' };

describe('the class of an end', () => {
  it.each([
    ['Invalid API key · Fix external API key', 'auth'],
    ['Not logged in · Please run /login', 'auth'],
    ['OAuth token has expired. Please obtain a new token or refresh your existing token.', 'auth'],
    ['API Error: 401 {"type":"error","error":{"type":"authentication_error"}}', 'auth'],
    ['Credit balance is too low', 'billing'],
    ['Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing', 'billing'],
    ["You've hit your weekly limit · resets Jul 18, 12pm (UTC)", 'quota'],
    ["You've hit your session limit · resets 3:50pm (Asia/Tokyo)", 'quota'],
    ["You've hit your limit · resets 4pm (UTC)", 'quota'],
    ['Claude AI usage limit reached|1776157200', 'quota'],
    ['5-hour limit reached ∙ resets 3pm', 'quota'],
    [
      'API Error: 429 {"type":"error","error":{"type":"rate_limit_error","message":"tokens per minute"}}',
      'rate_limit',
    ],
    [
      'API Error: 529 {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
      'transient',
    ],
    [
      'API Error: 500 {"type":"error","error":{"type":"api_error","message":"Internal server error"}}',
      'transient',
    ],
    ['API Error: Connection error.', 'transient'],
    [
      'stream disconnected before completion: error sending request for url (https://x/v1/responses)',
      'transient',
    ],
    ['exceeded retry limit, last status: 429 Too Many Requests', 'rate_limit'],
    ['unexpected status 401 Unauthorized: Missing bearer or basic authentication in header', 'auth'],
    ['unexpected status 503 Service Unavailable: upstream connect error', 'transient'],
    [
      '{"error":{"type":"usage_limit_reached","message":"The usage limit has been reached","plan_type":"plus"}}',
      'quota',
    ],
    ['Quota exceeded. Check your plan and billing details.', 'billing'],
    ['ENOENT: no such file or directory, open x.json', 'crash'],
    ['', 'crash'],
  ])('%s: %s', (message, kind) => {
    expect(classify({ message }, facts).class).toBe(kind);
  });

  it('takes the same words of Google as a used-up quota and of OpenAI as an unpaid bill', () => {
    const message = 'You exceeded your current quota, please check your plan and billing details.';

    expect(classify({ message }, { ...facts, provider: 'google' }).class).toBe('quota');
    expect(classify({ message }, { ...facts, provider: 'openai' }).class).toBe('billing');
  });

  it.each([
    [429, 'rate_limit'],
    [402, 'billing'],
    [403, 'auth'],
    [502, 'transient'],
    [400, 'crash'],
  ])('is told by status %i where the words tell nothing', (status, kind) => {
    expect(classify({ message: 'no', status }, facts).class).toBe(kind);
  });

  it('blames a provider only for what is the provider’s', () => {
    expect(classify({ message: 'API Error: 529 x' }, facts).provider).toBe('anthropic');
    expect(classify({ message: 'segmentation fault' }, facts).provider).toBeNull();
  });

  it('keeps one line of what was said, and no key', () => {
    const { sentence } = classify(
      { message: `Incorrect API key provided:\n sk-proj-abcdefgh12345678 ${'x'.repeat(1000)}` },
      facts,
    );

    expect(sentence).toMatch(/^Incorrect API key provided: … x+$/);
    expect(sentence).toHaveLength(300);
  });
});

describe('when a limit ends', () => {
  it.each([
    ['Claude AI usage limit reached|1776157200', '2026-04-14T09:00:00.000Z'],
    ['usage_limit_reached {"resets_at":1776157200,"resets_in_seconds":9}', '2026-04-14T09:00:00.000Z'],
    ['usage_limit_reached {"resets_in_seconds":1800}', '2026-04-14T09:00:00.000Z'],
    ["You've hit your weekly limit · resets Jul 18, 12pm (UTC)", '2026-07-18T12:00:00.000Z'],
    ["You've hit your session limit · resets 3:50pm (Asia/Tokyo)", '2026-04-15T06:50:00.000Z'],
    ['usage limit reached. Your limit will reset at 3pm (America/Bogota).', '2026-04-14T20:00:00.000Z'],
    ["You've hit your usage limit or try again at 2:57 PM.", '2026-04-14T14:57:00.000Z'],
    ["You've hit your usage limit or try again at 8:29 AM.", '2026-04-15T08:29:00.000Z'],
    ["You've hit your usage limit or try again at Mar 20th, 2027 3:36 PM.", '2027-03-20T15:36:00.000Z'],
    ["You've hit your usage limit. Try again in 5 days 3 hours 2 minutes.", '2026-04-19T11:32:00.000Z'],
    [
      'You have exhausted your capacity on this model. Your quota will reset after 2h30m0s.',
      '2026-04-14T11:00:00.000Z',
    ],
    ['Your quota will reset after 5s.', '2026-04-14T08:30:05.000Z'],
    ['quota exceeded for x "retryDelay": "36s"', '2026-04-14T08:30:36.000Z'],
    ['Rate limit reached for gpt-5 on tokens per min. Please try again in 1.2s.', '2026-04-14T08:30:01.200Z'],
    ['Your usage limits will reset when your monthly cycle ends on 11/17/2026.', '2026-11-17T00:00:00.000Z'],
    ["You've hit your limit", null],
    ['usage limit: try again later', null],
    ['usage limit reached|99', null],
  ])('%s: %s', (message, until) => {
    expect(classify({ message }, facts).until).toBe(until);
  });

  it.each([{ message: 'usage limit. Resets on 1/1/9999' }, { message: 'usage limit', reset_in_ms: 1e300 }])(
    'is believed for a year and a bit: %j',
    (trouble) => {
      expect(classify(trouble, facts).until).toBe('2027-05-19T08:30:00.000Z');
    },
  );

  it('is read in the zone of the machine where none is named, across a change of its offset', () => {
    const message = "You've hit your usage limit or try again at Oct 25, 2026 4:00 AM.";

    const { until } = classify({ message }, { ...facts, zone: 'Europe/Berlin' });

    expect(until).toBe('2026-10-25T03:00:00.000Z');
  });
});
