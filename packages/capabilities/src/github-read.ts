import type { ForgeComparison, ForgeRepo } from '@caloron/types';
import { z } from 'zod';

import type { ForgeCacheLike } from './github-cache.ts';
import { readChecks } from './github-checks.ts';
import type { ForgeClient, ForgeRequest } from './github-client.ts';
import { type ForgeDialect, pageSize } from './github-dialect.ts';
import { isForgeError } from './github-errors.ts';
import { changes } from './github-list.ts';
import {
  CommentShape,
  ComparisonShape,
  CommitShape,
  IssueShape,
  PullShape,
  RepoShape,
  ReviewShape,
  UserShape,
} from './github-shapes.ts';

/** The reading half of a ForgeRepo. */
export type ForgeReads = Pick<
  ForgeRepo,
  | 'whoami'
  | 'info'
  | 'commits'
  | 'languages'
  | 'changedIssues'
  | 'changedPulls'
  | 'changedComments'
  | 'reviews'
  | 'checks'
  | 'compare'
  | 'issue'
  | 'pull'
  | 'comments'
  | 'issuesWithLabel'
  | 'pullsOfBranch'
>;

/** What the reads need. */
export interface ForgeReadDeps {
  readonly client: ForgeClient;
  readonly cache: ForgeCacheLike | undefined;
  readonly dialect: ForgeDialect;
}

/** The most commits one page holds. */
const PAGE = 100;

/** All pages of a list, in the host's order. */
async function all<T extends z.ZodType>(
  client: ForgeClient,
  item: T,
  request: ForgeRequest,
): Promise<readonly z.output<T>[]> {
  const page = z.array(item);
  const items: z.output<T>[] = [];
  for await (const answer of client.pages(request)) {
    items.push(...client.parse(page, answer, request));
  }
  return items;
}

/** One page of one commit: only the counts are wanted. */
async function compare(
  { client, dialect }: ForgeReadDeps,
  base: string,
  head: string,
): Promise<ForgeComparison> {
  const ask = (one: string, other: string) =>
    client.json(ComparisonShape, {
      doing: `compare ${one} with ${other}`,
      method: 'GET',
      path: `/compare/${encodeURIComponent(one)}...${encodeURIComponent(other)}`,
      query: dialect === 'gitea' ? {} : { per_page: 1 },
    });
  const found = await ask(base, head);
  return {
    ahead: found.ahead_by ?? found.total_commits,
    behind: found.behind_by ?? (await ask(head, base)).total_commits,
    base_sha: found.base_commit?.sha ?? null,
    merge_base: found.merge_base_commit?.sha ?? null,
  };
}

/** The reads of one repository. */
export function forgeReads(deps: ForgeReadDeps): ForgeReads {
  const { client, dialect } = deps;
  const size = pageSize(dialect);
  let login: Promise<string> | undefined;

  async function askLogin(): Promise<string> {
    const request: ForgeRequest = {
      doing: 'ask whose token it is',
      method: 'GET',
      path: '/user',
      root: true,
    };
    return (await client.json(UserShape, request)).login;
  }

  return {
    async whoami() {
      login ??= askLogin();
      try {
        return await login;
      } catch (error) {
        login = undefined;
        throw error;
      }
    },
    info: () => client.json(RepoShape, { doing: 'read the repository', method: 'GET', path: '' }),
    async commits(limit) {
      const query =
        dialect === 'gitea' ? { limit: Math.min(limit, 50) } : { per_page: Math.min(limit, PAGE) };
      try {
        const request: ForgeRequest = { doing: 'list the commits', method: 'GET', path: '/commits', query };
        return (await client.json(z.array(CommitShape), request)).slice(0, limit);
      } catch (error) {
        // An empty repository has no commits to list and says 409.
        if (isForgeError(error, 'FORGE_CONFLICT')) return [];
        throw error;
      }
    },
    languages: () =>
      client.json(z.record(z.string(), z.number()), {
        doing: 'list the languages',
        method: 'GET',
        path: '/languages',
      }),
    ...changes(deps),
    async reviews(pr_number) {
      const found = await all(client, ReviewShape, {
        doing: `list the reviews of #${pr_number}`,
        method: 'GET',
        path: `/pulls/${pr_number}/reviews`,
        query: size,
      });
      return found
        .filter((review) => review !== null)
        .sort((a, b) => Date.parse(a.submitted_at) - Date.parse(b.submitted_at));
    },
    checks: (sha) => readChecks(deps, sha),
    compare: (base, head) => compare(deps, base, head),
    issue: (number) =>
      client.json(IssueShape, { doing: `read issue #${number}`, method: 'GET', path: `/issues/${number}` }),
    pull: (number) =>
      client.json(PullShape, {
        doing: `read pull request #${number}`,
        method: 'GET',
        path: `/pulls/${number}`,
      }),
    comments: (issue_number) =>
      all(client, CommentShape, {
        doing: `list the comments of #${issue_number}`,
        method: 'GET',
        path: `/issues/${issue_number}/comments`,
        query: size,
      }),
    async issuesWithLabel(label) {
      // A comma separates labels in the question, and a Gitea asked for a label it does not have gives all issues: the answer is sifted.
      const asked = label.includes(',') ? {} : { labels: label };
      const query = { state: 'all', ...asked, ...size };
      const doing = `list the issues labelled ${label}`;
      const found = await all(client, IssueShape, { doing, method: 'GET', path: '/issues', query });
      const name = label.toLowerCase();
      return found.filter(
        (issue) => !issue.is_pull && issue.labels.some((one) => one.toLowerCase() === name),
      );
    },
    async pullsOfBranch(branch) {
      // Gitea cannot filter by head: all pull requests are read.
      const head = dialect === 'gitea' ? {} : { head: `${client.owner}:${branch}` };
      const query = { state: 'all', ...head, ...size };
      const doing = `list the pull requests of ${branch}`;
      const found = await all(client, PullShape, { doing, method: 'GET', path: '/pulls', query });
      return found.filter((pull) => pull.head_ref === branch && !pull.fork);
    },
  };
}
