import { describe, expect, it } from 'vitest';

import { closedIssues } from './closing_keywords.ts';

const gitea = 'https://git.example.org/api/v1';

describe('closing keywords', () => {
  it.each([
    ['Closes #1', [1]],
    ['closes #1.', [1]],
    ['Fixes: #1', [1]],
    ['Closes\n#1', [1]],
    ['(resolves #1)', [1]],
    [
      'close #1, closed #2, fix #3, fixes #4, fixed #5, resolve #6, resolves #7, resolved #8',
      [1, 2, 3, 4, 5, 6, 7, 8],
    ],
    ['See #7 for context. Closes #1', [1]],
    ['Fixes #3, #4', [3]],
    ['CLOSES #12', [12]],
    ['Closes owner/repo#3', [3]],
    ['Closes Owner/Repo#3', [3]],
    ['Closes https://github.com/owner/repo/issues/9', [9]],
    ['Closes #1 and closes #1', [1]],
    ['Closes #1\r\n\r\n<!-- caloron:s:t -->', [1]],
  ])('reads %j', (body, expected) => {
    expect(closedIssues(body, 'owner/repo', null)).toEqual(expected);
  });

  it.each([
    '',
    '#1',
    'See #1',
    'Closes#1',
    'encloses #1',
    'prefixes #1',
    'Closes #0',
    'Closes #1a',
    'Closes #²',
    'Closes #١٢',
    'Closes other/repo#3',
    'Closes https://github.com/other/repo/issues/9',
    'Closes https://github.com/owner/repo/pull/9',
    'Closes https://evil.example/owner/repo/issues/9',
    'write `Closes #1` into the body',
    '```\nCloses #1\n```',
    '~~~\nCloses #1\n~~~',
    '```\nCloses #1 in a fence that never ends',
    '<!-- Closes #1 -->',
  ])('finds nothing in %j', (body) => {
    expect(closedIssues(body, 'owner/repo', null)).toEqual([]);
  });

  it('knows the pages of the host the repository is on', () => {
    expect(closedIssues('Closes https://git.example.org/owner/repo/issues/4', 'owner/repo', gitea)).toEqual([
      4,
    ]);
    expect(closedIssues('Closes https://github.com/owner/repo/issues/4', 'owner/repo', gitea)).toEqual([]);
  });

  it('reads a body of a megabyte in well under a second', () => {
    const body = `${'closes '.repeat(50_000)}${'`'.repeat(50_000)}${'https://'.repeat(50_000)} Closes #5`;
    // Of the processor's time: how busy the machine is is no matter.
    const before = process.cpuUsage();

    closedIssues(body, 'owner/repo', null);

    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1_000).toBeLessThan(1_000);
  });
});
