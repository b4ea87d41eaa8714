import { describe, expect, it } from 'vitest';
import { closingReferences } from './closing.ts';

const base = 'http://127.0.0.1:7720';
const own = (...numbers: readonly number[]) => numbers.map((number) => ({ repo: null, number }));

describe('closingReferences', () => {
  it.each([
    ['Closes #1', own(1)],
    ['close #1, closed #2 and fix #3', own(1, 2, 3)],
    ['Fixes: #4\nfixed #5\nRESOLVES #6 resolve #7 resolved #8', own(4, 5, 6, 7, 8)],
    ['closes #1 closes #1', own(1)],
    ['Closes Alice/App#12', [{ repo: 'alice/app', number: 12 }]],
    [`fixes ${base}/ui/alice/app/issues/3`, [{ repo: 'alice/app', number: 3 }]],
    [`fixes ${base}/repos/alice/app/issues/3.`, [{ repo: 'alice/app', number: 3 }]],
    ['fixes http://localhost:7720/ui/alice/app/issues/3', [{ repo: 'alice/app', number: 3 }]],
  ])('reads %j', (text, expected) => {
    expect(closingReferences(text, base)).toEqual(expected);
  });

  it.each([
    'see #1',
    'encloses #1',
    'prefix #1',
    'closing #1',
    'fixing #1',
    'closes 1',
    'closes#1',
    'closes #1a',
    'closes # 1',
    'Closes `#1`',
    '`closes #1`',
    '```\ncloses #1\n```',
    'fixes https://example.com/ui/alice/app/issues/3',
    '',
  ])('finds nothing in %j', (text) => {
    expect(closingReferences(text, base)).toEqual([]);
  });
});
