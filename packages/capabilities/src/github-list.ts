import type { ForgeIssue, ForgePull, Timestamp } from '@caloron/types';

import { readChanges } from './github-changes.ts';
import type { ForgeRequest } from './github-client.ts';
import { pageSize } from './github-dialect.ts';
import type { ForgeReadDeps, ForgeReads } from './github-read.ts';
import { CommentShape, IssueShape, PullShape } from './github-shapes.ts';

/** The lists a poll reads. */
export function changes({
  client,
  cache,
  dialect,
}: ForgeReadDeps): Pick<ForgeReads, 'changedIssues' | 'changedPulls' | 'changedComments'> {
  const isGitea = dialect === 'gitea';
  const size = pageSize(dialect);
  const newestFirst = { sort: 'updated', direction: 'desc', ...size };
  // Gitea lists issues and comments by creation only: it is asked from the cursor on and read to the end.
  const since = (cursor: Timestamp | null) => ({ ...size, ...(cursor === null ? {} : { since: cursor }) });
  return {
    changedIssues(cursor) {
      const query = { state: 'all', ...(isGitea ? since(cursor) : newestFirst) };
      const request: ForgeRequest = { doing: 'list the issues', method: 'GET', path: '/issues', query };
      const id = (issue: ForgeIssue) => String(issue.number);
      return readChanges(client, cache, { request, item: IssueShape, id, newest_first: !isGitea }, cursor);
    },
    changedPulls(cursor) {
      const query = { state: 'all', ...newestFirst, ...(isGitea ? { sort: 'recentupdate' } : {}) };
      const request: ForgeRequest = { doing: 'list the pull requests', method: 'GET', path: '/pulls', query };
      const id = (pull: ForgePull) => String(pull.number);
      return readChanges(client, cache, { request, item: PullShape, id, newest_first: true }, cursor);
    },
    changedComments(cursor) {
      const query = isGitea ? since(cursor) : newestFirst;
      const request: ForgeRequest = {
        doing: 'list the comments',
        method: 'GET',
        path: '/issues/comments',
        query,
      };
      return readChanges(
        client,
        cache,
        { request, item: CommentShape, id: (comment) => String(comment.id), newest_first: !isGitea },
        cursor,
      );
    },
  };
}
