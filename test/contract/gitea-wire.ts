import { type Comment, type GiteaState, isWip, type Review, type Ticket } from './gitea-state.ts';

/** How Gitea writes what it has: no node ids, no ETags, null where GitHub leaves a field out. */
export function giteaWire(state: GiteaState, url: string) {
  const repo = {
    full_name: 'alice/app',
    default_branch: 'main',
    private: false,
    open_issues_count: 0,
    description: '',
  };
  const user = (login: string) =>
    state.deleted.has(login)
      ? { id: -1, login: 'Ghost', full_name: '' }
      : { id: login.length, login, full_name: '' };
  const labelsOf = ({ labels }: Ticket) => state.labels.filter(({ id }) => labels.includes(id));

  function common(ticket: Ticket) {
    const { number, title, body, created_at, updated_at, closed_at } = ticket;
    const kind = ticket.pull === null ? 'issues' : 'pulls';
    const html_url = `${url}/alice/app/${kind}/${String(number)}`;
    const labels = labelsOf(ticket);
    return {
      id: number,
      number,
      title,
      body,
      state: ticket.state,
      user: user(ticket.poster),
      labels,
      html_url,
      created_at,
      updated_at,
      closed_at,
    };
  }

  return {
    repo,
    user,
    issue: (ticket: Ticket) => ({
      ...common(ticket),
      pull_request: ticket.pull === null ? null : { merged: ticket.pull.merged_at !== null },
    }),
    pull(ticket: Ticket) {
      const { pull } = ticket;
      if (pull === null) throw new Error(`#${String(ticket.number)} is an issue`);
      const { git } = state;
      // A head whose branch is gone is named by the ref that keeps its commits; its name is in the label alone.
      const ref = git.branches.has(pull.head) ? pull.head : `refs/pull/${String(ticket.number)}/head`;
      const base_sha = git.branches.get(pull.base) ?? '';
      return {
        ...common(ticket),
        ...(state.has_draft_field ? { draft: isWip(ticket) } : {}),
        head: { label: pull.head, ref, sha: pull.head_sha, repo_id: 1, repo },
        base: { label: pull.base, ref: pull.base, sha: base_sha, repo_id: 1, repo },
        merged: pull.merged_at !== null,
        merged_at: pull.merged_at,
        merge_commit_sha: pull.merge_commit_sha,
        // One word for a conflict, for a draft, and for what is still being tried out.
        mergeable:
          ticket.state === 'open' &&
          !pull.checking &&
          !isWip(ticket) &&
          git.canMerge(base_sha, pull.head_sha),
      };
    },
    comment(comment: Comment) {
      const at = `${url}/alice/app/${state.find(comment.ticket)?.pull === null ? 'issues' : 'pulls'}/${String(comment.ticket)}`;
      const isPull = at.includes('/pulls/');
      const { id, body, at: created_at } = comment;
      const urls = { issue_url: isPull ? '' : at, pull_request_url: isPull ? at : '' };
      return {
        id,
        body,
        user: user(comment.poster),
        ...urls,
        html_url: `${at}#issuecomment-${String(id)}`,
        created_at,
        updated_at: comment.edited_at ?? created_at,
      };
    },
    review: ({ reviewer, ...review }: Review) => ({
      ...review,
      user: user(reviewer),
      stale: false,
      official: true,
      dismissed: false,
    }),
    commit(sha: string) {
      const found = state.git.commits.get(sha);
      const who = { name: 'Alice', email: 'alice@example.com', date: found?.at };
      return { sha, author: user('alice'), commit: { message: found?.message, author: who, committer: who } };
    },
  };
}
