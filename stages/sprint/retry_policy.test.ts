import { addMs, type ActionError } from '@caloron/types';
import { describe, expect, it } from 'vitest';

import { EXAMPLE_NOW } from './example.ts';
import { nextAttempt, resetOf } from './retry_policy.ts';

const error: ActionError = { code: 'FORGE_UNAVAILABLE', message: '', retryable: true };

describe('the next attempt of an action', () => {
  it.each([
    [1, 10_000],
    [2, 20_000],
    [3, 40_000],
    [4, 80_000],
  ])('comes after failure %i in %i ms', (attempts, delay) => {
    expect(nextAttempt(error, attempts, EXAMPLE_NOW, null)).toBe(addMs(EXAMPLE_NOW, delay));
  });

  it('does not come after the fifth failure, or one that would only repeat', () => {
    expect(nextAttempt(error, 5, EXAMPLE_NOW, null)).toBeNull();
    expect(nextAttempt({ ...error, retryable: false }, 1, EXAMPLE_NOW, null)).toBeNull();
  });

  it('waits for a limit that ends later, and for none that ended before', () => {
    expect(nextAttempt(error, 1, EXAMPLE_NOW, '2026-04-14T09:00:00Z')).toBe('2026-04-14T09:00:00.000Z');
    expect(nextAttempt(error, 1, EXAMPLE_NOW, '2026-04-14T08:00:00Z')).toBe(addMs(EXAMPLE_NOW, 10_000));
    expect(nextAttempt(error, 1, EXAMPLE_NOW, 'soon')).toBe(addMs(EXAMPLE_NOW, 10_000));
  });

  it('comes twenty times in two seconds each while a merge is not known', () => {
    const waiting = { ...error, code: 'MERGE_NOT_KNOWN_YET' };

    expect(nextAttempt(waiting, 19, EXAMPLE_NOW, null)).toBe(addMs(EXAMPLE_NOW, 2_000));
    expect(nextAttempt(waiting, 20, EXAMPLE_NOW, null)).toBeNull();
  });

  it('comes as often in ten seconds each after a refusal that another look may lift', () => {
    const unsettled = { ...error, code: 'FORGE_MERGE_UNSETTLED' };

    expect(nextAttempt(unsettled, 1, EXAMPLE_NOW, null)).toBe(addMs(EXAMPLE_NOW, 10_000));
    expect(nextAttempt(unsettled, 19, EXAMPLE_NOW, null)).toBe(addMs(EXAMPLE_NOW, 10_000));
    expect(nextAttempt(unsettled, 20, EXAMPLE_NOW, null)).toBeNull();
  });
});

describe('the end of a rate limit', () => {
  it.each([
    [{ details: { reset_at: '2026-04-14T09:00:00Z' } }, '2026-04-14T09:00:00.000Z'],
    [{ details: { reset_at: 1_776_157_200 } }, '2026-04-14T09:00:00.000Z'],
    [{ details: { reset_at: null } }, null],
    [{ details: {} }, null],
    [new Error('no'), null],
    ['text', null],
    [null, null],
  ])('of %j is %j', (thrown, expected) => {
    expect(resetOf(thrown)).toBe(expected);
  });
});
