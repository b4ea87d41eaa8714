import type { ForgeComment, ForgeIssue, ForgePull, Timestamp } from '@caloron/types';

import { type ChangeList, readChanges } from './github-changes.ts';
import { type ForgeDialect, pageSize } from './github-dialect.ts';
import type { ForgeReadDeps, ForgeReads } from './github-read.ts';
import { CommentShape, IssueShape, PullShape } from './github-shapes.ts';

interface Lists {
  readonly issues: ChangeList<ForgeIssue>;
  readonly pulls: ChangeList<ForgePull>;
  readonly comments: ChangeList<ForgeComment>;
}

function listsOf(dialect: ForgeDialect): Lists {
  const isGitea = dialect === 'gitea';
  const size = pageSize(dialect);
  const newestFirst = { sort: 'updated', direction: 'desc', ...size };
  // Gitea lists issues and comments by creation only: it is asked from the cursor on and read to the end.
  const from = (since: Timestamp | null) => ({ ...size, ...(since === null ? {} : { since }) });
  const order = isGitea ? { ...newestFirst, sort: 'recentupdate' } : newestFirst;
  return {
    issues: {
      request: (since) => ({
        doing: 'list the issues',
        method: 'GET',
        path: '/issues',
        query: { state: 'all', ...(isGitea ? from(since) : newestFirst) },
      }),
      item: IssueShape,
      id: (issue) => String(issue.number),
      what: 'issue',
      newest_first: !isGitea,
    },
    pulls: {
      request: () => ({
        doing: 'list the pull requests',
        method: 'GET',
        path: '/pulls',
        query: { state: 'all', ...order },
      }),
      item: PullShape,
      id: (pull) => String(pull.number),
      what: 'pull request',
      newest_first: true,
    },
    comments: {
      request: (since) => ({
        doing: 'list the comments',
        method: 'GET',
        path: '/issues/comments',
        query: isGitea ? from(since) : newestFirst,
      }),
      item: CommentShape,
      id: (comment) => String(comment.id),
      what: 'comment',
      newest_first: !isGitea,
    },
  };
}

/** The lists a poll reads. */
export function changes({
  client,
  dialect,
}: ForgeReadDeps): Pick<ForgeReads, 'changedIssues' | 'changedPulls' | 'changedComments'> {
  const { issues, pulls, comments } = listsOf(dialect);
  return {
    changedIssues: (cursor, from) => readChanges(client, issues, cursor, from),
    changedPulls: (cursor, from) => readChanges(client, pulls, cursor, from),
    changedComments: (cursor, from) => readChanges(client, comments, cursor, from),
  };
}
