import {
  type ForgeComment,
  type ForgeIssue,
  type ForgePull,
  type ForgeRepoInfo,
  type ForgeReview,
  type MergeState,
  Sha,
  toTimestamp,
} from '@caloron/types';
import { z } from 'zod';

/** An instant as hosts write it: with or without milliseconds, with `Z` or an offset. */
const Instant = z.string().transform((text, context) => {
  const at = toTimestamp(text);
  if (at !== undefined) return at;
  context.addIssue({ code: 'custom', message: 'expected a time' });
  return z.NEVER;
});

/** What Gitea writes for an account that was deleted: a user `Ghost` with this id. Source: models/user/user_system.go. */
const GHOST_ID = -1;

/** A login; null for a deleted account. */
const Author = z
  .object({ login: z.string(), id: z.unknown().optional() })
  .nullish()
  .transform((user) =>
    user === null || user === undefined || user.login === '' || user.id === GHOST_ID ? null : user.login,
  );

const Text = z
  .string()
  .nullish()
  .transform((text) => text ?? '');

const Labels = z
  .array(z.union([z.string(), z.object({ name: z.string().nullish() }).nullable()]))
  .nullish()
  .transform((labels) =>
    (labels ?? []).flatMap((label) => {
      const name = typeof label === 'string' ? label : label?.name;
      return name === null || name === undefined || name === '' ? [] : [name];
    }),
  );

const common = {
  number: z.number().int().positive(),
  title: z.string(),
  body: Text,
  state: z.enum(['open', 'closed']),
  user: Author,
  labels: Labels,
  html_url: Text,
  created_at: Instant.nullish(),
  updated_at: Instant,
  closed_at: Instant.nullish(),
};

/** Gitea has no node ids: the number is as stable within a repository. */
function nodeId(
  kind: string,
  raw: { readonly node_id?: string | undefined; readonly number: number },
): string {
  return raw.node_id ?? `${kind}-${raw.number}`;
}

/** An issue, or the issue side of a pull request. */
export const IssueShape = z
  .object({ ...common, node_id: z.string().optional(), pull_request: z.unknown().optional() })
  .transform((raw): ForgeIssue => ({
    number: raw.number,
    node_id: nodeId('issue', raw),
    title: raw.title,
    body: raw.body,
    state: raw.state,
    is_pull: raw.pull_request !== undefined && raw.pull_request !== null,
    labels: raw.labels,
    author: raw.user,
    url: raw.html_url,
    created_at: raw.created_at ?? raw.updated_at,
    updated_at: raw.updated_at,
    closed_at: raw.closed_at ?? null,
  }));

const Side = z.object({
  label: z.string().nullish(),
  ref: z.string(),
  sha: Sha,
  repo: z.object({ full_name: z.string() }).nullish(),
});

/** The branch of a head. Gitea names one that is gone by the ref that keeps its commits: its label alone has the name then. */
function branchOf({ ref, label }: z.output<typeof Side>, number: number): string {
  if (ref !== `refs/pull/${number}/head`) return ref;
  // No branch has a colon in its name: what stands before one is an owner.
  const name = (label ?? '').replace(/^.*:/, '');
  return name === '' ? ref : name;
}

/** What a draft's title begins with where drafts are told by it alone. Source: Gitea's default WORK_IN_PROGRESS_PREFIXES. */
const WIP = /^(?:WIP:|\[WIP\])/i;

const MERGE_STATES: readonly MergeState[] = [
  'clean',
  'dirty',
  'blocked',
  'behind',
  'unstable',
  'draft',
  'unknown',
];

/** A word of the host for what stands against a merge; one that nobody knows says nothing. */
function mergeState(word: string | null): MergeState | null {
  return word === 'has_hooks' ? 'clean' : (MERGE_STATES.find((state) => state === word) ?? null);
}

/** A pull request. A head whose repository was deleted lies in another repository. */
export const PullShape = z
  .object({
    ...common,
    node_id: z.string().optional(),
    draft: z.boolean().nullish(),
    head: Side,
    base: Side,
    merged_at: Instant.nullish(),
    merge_commit_sha: Sha.nullish(),
    mergeable: z.boolean().nullish(),
    mergeable_state: z.string().nullish(),
  })
  .transform((raw): ForgePull => {
    const merged_at = raw.merged_at ?? null;
    return {
      number: raw.number,
      node_id: nodeId('pull', raw),
      title: raw.title,
      body: raw.body,
      state: raw.state,
      draft: raw.draft ?? WIP.test(raw.title),
      fork: raw.head.repo?.full_name.toLowerCase() !== raw.base.repo?.full_name.toLowerCase(),
      head_ref: branchOf(raw.head, raw.number),
      head_sha: raw.head.sha,
      base_ref: raw.base.ref,
      author: raw.user,
      labels: raw.labels,
      merged_at,
      // An open pull request may carry the commit of a trial merge here.
      merge_sha: merged_at === null ? null : (raw.merge_commit_sha ?? null),
      mergeable: raw.mergeable ?? null,
      merge_state: mergeState(raw.mergeable_state ?? null),
      url: raw.html_url,
      created_at: raw.created_at ?? raw.updated_at,
      updated_at: raw.updated_at,
      closed_at: raw.closed_at ?? null,
    };
  });

const COMMENT_PARENT = /\/(?:issues|pulls?)\/(\d+)(?:#.*)?$/;

/** A comment; its issue is the last number of the address the host gives for it. */
export const CommentShape = z
  .object({
    id: z.number().int(),
    body: Text,
    user: Author,
    issue_url: Text,
    pull_request_url: Text,
    html_url: Text,
    created_at: Instant.nullish(),
    updated_at: Instant,
  })
  .transform((raw, context): ForgeComment => {
    const addresses = [raw.issue_url, raw.pull_request_url, raw.html_url];
    const number = addresses
      .map((address) => COMMENT_PARENT.exec(address)?.[1])
      .find((found) => found !== undefined);
    if (number === undefined) {
      context.addIssue({ code: 'custom', message: 'expected issue_url to end in the number of an issue' });
      return z.NEVER;
    }
    return {
      id: raw.id,
      issue_number: Number(number),
      body: raw.body,
      author: raw.user,
      created_at: raw.created_at ?? raw.updated_at,
      updated_at: raw.updated_at,
    };
  });

/** GitHub's words and Gitea's; anything else (pending, a mere request) is no submitted review. */
const REVIEW_STATES: Readonly<Record<string, ForgeReview['state']>> = {
  APPROVED: 'approved',
  CHANGES_REQUESTED: 'changes_requested',
  REQUEST_CHANGES: 'changes_requested',
  COMMENTED: 'commented',
  COMMENT: 'commented',
  DISMISSED: 'dismissed',
};

/** A review, or null for one that is not submitted. */
export const ReviewShape = z
  .object({
    id: z.union([z.number(), z.string()]),
    user: Author,
    state: z.string(),
    dismissed: z.boolean().nullish(),
    body: Text,
    commit_id: Sha.nullish().catch(null),
    // A review whose time cannot be read is as good as pending: it does not count, and takes no other with it.
    submitted_at: Instant.nullish().catch(null),
  })
  .transform((raw): ForgeReview | null => {
    const state = REVIEW_STATES[raw.state.toUpperCase()];
    const submitted_at = raw.submitted_at ?? null;
    if (state === undefined || submitted_at === null) return null;
    return {
      id: String(raw.id),
      author: raw.user,
      state: raw.dismissed === true ? 'dismissed' : state,
      body: raw.body,
      commit_id: raw.commit_id ?? null,
      submitted_at,
    };
  });

/** A repository's facts. */
export const RepoShape = z
  .object({
    full_name: z.string(),
    description: z.string().nullish(),
    default_branch: z.string().nullish(),
    open_issues_count: z.number().nullish(),
    private: z.boolean().nullish(),
    permissions: z.object({ pull: z.boolean().nullish(), push: z.boolean().nullish() }).nullish(),
  })
  .transform((raw): ForgeRepoInfo => ({
    full_name: raw.full_name,
    description: raw.description ?? null,
    default_branch: raw.default_branch ?? 'main',
    open_issues: raw.open_issues_count ?? 0,
    private: raw.private ?? false,
    can_push: mayPush(raw.permissions ?? {}),
  }));

/** An app's permissions are told as all false: nothing is known of it then. */
function mayPush(told: {
  readonly pull?: boolean | null | undefined;
  readonly push?: boolean | null | undefined;
}): boolean | null {
  if (told.push === true) return true;
  return told.push === false && told.pull === true ? false : null;
}

/** A commit of a branch. */
export const CommitShape = z
  .object({
    sha: Sha,
    author: Author,
    commit: z.object({
      message: z.string(),
      author: z.object({ name: z.string(), date: Instant }),
      committer: z.object({ date: Instant }).nullish(),
    }),
  })
  .transform((raw) => ({
    sha: raw.sha,
    message: raw.commit.message,
    author: raw.author ?? raw.commit.author.name,
    at: raw.commit.committer?.date ?? raw.commit.author.date,
  }));

/** Two commits compared: GitHub counts both sides, Gitea only what the head has and the base lacks. */
export const ComparisonShape = z.object({
  ahead_by: z.number().int().min(0).optional(),
  behind_by: z.number().int().min(0).optional(),
  total_commits: z.number().int().min(0),
  base_commit: z.object({ sha: Sha }).optional(),
  merge_base_commit: z.object({ sha: Sha }).optional(),
});

/** The combined status of a commit. */
export const StatusShape = z.object({
  state: z.string().nullish(),
  total_count: z.number().nullish(),
  statuses: z.array(z.unknown()).nullish(),
});

/** One page of the check runs of a commit. */
export const CheckRunsShape = z.object({
  check_runs: z.array(z.object({ status: z.string(), conclusion: z.string().nullish() })),
});

/** The account a token stands for. */
export const UserShape = z.object({ login: z.string().min(1) });
