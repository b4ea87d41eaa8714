import { cloneUrl } from '@caloron/types';

import { prose } from './prose.ts';

/** GitHub's nine closing keywords. Source: docs.github.com, "Linking a pull request to an issue". */
const KEYWORD = String.raw`\b(?:close[sd]?|fix(?:es|ed)?|resolve[sd]?)\b`;
const REFERENCE = String.raw`(?:(?<repo>[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+)?#(?<number>[0-9]{1,9})|(?<page>https?://[^\s<>()]{1,300}?)/issues/(?<at>[0-9]{1,9}))(?![0-9A-Za-z_])`;
const CLOSING = new RegExp(String.raw`${KEYWORD}:?\s+${REFERENCE}`, 'gi');

/** The issues of this repository a pull request's body closes by GitHub's keywords, in their order, each once. Code is no prose. */
export function closedIssues(body: string, repo: string, host: string | null): readonly number[] {
  const page = cloneUrl(host, repo).replace(/\.git$/, '');
  const found = new Set<number>();
  for (const { groups } of prose(body).matchAll(CLOSING)) {
    const elsewhere =
      (groups?.['repo'] !== undefined && !same(groups['repo'], repo)) ||
      (groups?.['page'] !== undefined && !same(groups['page'], page));
    const number = Number(groups?.['number'] ?? groups?.['at']);
    if (!elsewhere && number > 0) found.add(number);
  }
  return [...found];
}

/** GitHub compares owners and repositories without regard to case. */
function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
