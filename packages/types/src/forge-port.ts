import type { ListCursor } from './cursors.ts';
import type { Checks, MergeMethod } from './dag.ts';
import type { Sha } from './ids.ts';
import type { Timestamp } from './time.ts';

/** Which repository, on which host, with whose token. */
export interface ForgeTarget {
  readonly repo: string;
  /** API address; null is github.com. */
  readonly host: string | null;
  /** Name of the variable that holds the token; it must be on the allow-list. */
  readonly token_env: string;
}

/** An issue as the forge lists it; pull requests are issues too (`is_pull`). */
export interface ForgeIssue {
  readonly number: number;
  readonly node_id: string;
  readonly title: string;
  readonly body: string;
  readonly state: 'open' | 'closed';
  readonly is_pull: boolean;
  readonly labels: readonly string[];
  /** Login; null for a deleted account. */
  readonly author: string | null;
  readonly url: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
  readonly closed_at: Timestamp | null;
}

/** What stands against a merge, in GitHub's words; `has_hooks` is told as clean. */
export type MergeState = 'clean' | 'dirty' | 'blocked' | 'behind' | 'unstable' | 'draft' | 'unknown';

/** A pull request. `mergeable` null means the host is still finding out: ask again. What it says of a conflict: `isConflict`. */
export interface ForgePull {
  readonly number: number;
  readonly node_id: string;
  readonly title: string;
  readonly body: string;
  readonly state: 'open' | 'closed';
  readonly draft: boolean;
  /** True when the head lies in another repository. */
  readonly fork: boolean;
  readonly head_ref: string;
  readonly head_sha: Sha;
  readonly base_ref: string;
  readonly author: string | null;
  readonly labels: readonly string[];
  readonly merged_at: Timestamp | null;
  readonly merge_sha: Sha | null;
  readonly mergeable: boolean | null;
  /** Null or absent where the host does not say: in lists, and on hosts without the word. */
  readonly merge_state?: MergeState | null;
  readonly url: string;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
  readonly closed_at: Timestamp | null;
}

/**
 * Whether a pull request conflicts with its base; null while its host has not said. Gitea has no word for it: it says `mergeable: false` of a
 * conflict, and while it is looking.
 */
export function isConflict({
  mergeable,
  merge_state = null,
}: Pick<ForgePull, 'mergeable' | 'merge_state'>): boolean | null {
  if (merge_state === 'dirty') return true;
  if (mergeable !== false) return mergeable === null ? null : false;
  return merge_state === null || merge_state === 'unknown' ? null : true;
}

/** A comment on an issue or pull request. */
export interface ForgeComment {
  readonly id: number;
  readonly issue_number: number;
  readonly body: string;
  readonly author: string | null;
  readonly created_at: Timestamp;
  readonly updated_at: Timestamp;
}

/** A submitted review; pending ones are never given. */
export interface ForgeReview {
  readonly id: string;
  readonly author: string | null;
  readonly state: 'approved' | 'changes_requested' | 'commented' | 'dismissed';
  readonly body: string;
  readonly commit_id: Sha | null;
  readonly submitted_at: Timestamp;
}

/** A record of a list that is not what the API promises. */
export interface ForgeSkipped {
  /** Its number or id, with what it is; its place in the list when it has none. */
  readonly id: string;
  /** Where in the record, and what was expected. */
  readonly reason: string;
}

/**
 * What changed after a cursor, newest update first, complete to the cursor. `unchanged` means the host answered 304 or nothing is newer.
 * `cursor` is the newest updated_at seen (the given one when nothing is newer).
 */
export interface ForgeChanges<T> {
  readonly items: readonly T[];
  readonly unchanged: boolean;
  readonly cursor: Timestamp | null;
  /** Where the next reading goes on: to be given with its `updated_at`, once the items are safely kept. */
  readonly next?: ListCursor;
  /** Records that were left out; the others are all there. */
  readonly skipped?: readonly ForgeSkipped[];
}

/** How two commits stand to each other. */
export interface ForgeComparison {
  /** Commits of the head that the base lacks. */
  readonly ahead: number;
  /** Commits of the base that the head lacks; 0 when the head contains the base. */
  readonly behind: number;
  /** What the base's name stood for; null when the host does not say. */
  readonly base_sha: Sha | null;
  /** Their best common ancestor; null when the host does not say. */
  readonly merge_base: Sha | null;
}

/** What a person or a prompt wants to know of a repository. */
export interface ForgeRepoInfo {
  readonly full_name: string;
  readonly description: string | null;
  readonly default_branch: string;
  readonly open_issues: number;
  readonly private: boolean;
  /** Whether the token's account may push; null where the host does not say. */
  readonly can_push: boolean | null;
}

/** One repository on one forge. Every method throws a ForgeError (CodedError with `retryable`). Writes are sent once: the outbox repeats them after a look-up. */
export interface ForgeRepo {
  /** The login the token stands for. */
  whoami(): Promise<string>;
  info(): Promise<ForgeRepoInfo>;
  /** Newest first. `[]` for an empty repository. */
  commits(limit: number): Promise<
    readonly {
      readonly sha: Sha;
      readonly message: string;
      readonly author: string | null;
      readonly at: Timestamp;
    }[]
  >;
  /** Bytes per language. */
  languages(): Promise<Readonly<Record<string, number>>>;

  /**
   * Issues and pull requests, all states, updated at or after the cursor. With `from`, which a former answer gave as `next`, the request is
   * conditional, what lies 120 s before the cursor is looked through again, and only what `from` does not know is given.
   */
  changedIssues(cursor: Timestamp | null, from?: ListCursor): Promise<ForgeChanges<ForgeIssue>>;
  /** Pull requests, all states, updated at or after the cursor. */
  changedPulls(cursor: Timestamp | null, from?: ListCursor): Promise<ForgeChanges<ForgePull>>;
  /** Issue comments of the whole repository updated at or after the cursor. */
  changedComments(cursor: Timestamp | null, from?: ListCursor): Promise<ForgeChanges<ForgeComment>>;
  /** All submitted reviews of a pull request, oldest first. */
  reviews(pr_number: number): Promise<readonly ForgeReview[]>;
  /** Check runs and statuses of a commit, combined; no entry at all is `none`. */
  checks(sha: Sha): Promise<Checks>;

  /** How two commits or branches stand to each other. FORGE_NOT_FOUND when one is not known, or the host cannot compare. */
  compare(base: string, head: string): Promise<ForgeComparison>;

  issue(number: number): Promise<ForgeIssue>;
  pull(number: number): Promise<ForgePull>;
  /** All comments of one issue, oldest first. */
  comments(issue_number: number): Promise<readonly ForgeComment[]>;
  /** Issues (not pull requests), all states, that carry the label; complete. */
  issuesWithLabel(label: string): Promise<readonly ForgeIssue[]>;
  /** Pull requests of this repository whose head is the branch, all states. */
  pullsOfBranch(branch: string): Promise<readonly ForgePull[]>;

  /** Creates a missing label or leaves an existing one as it is. */
  ensureLabel(
    label: string,
    options?: { readonly color?: string; readonly description?: string },
  ): Promise<void>;
  createIssue(issue: {
    readonly title: string;
    readonly body: string;
    readonly labels: readonly string[];
    /** Logins; FORGE_INVALID for one that cannot be assigned. */
    readonly assignees?: readonly string[];
  }): Promise<ForgeIssue>;
  comment(issue_number: number, body: string): Promise<ForgeComment>;
  /** Gives a comment another text. FORGE_FORBIDDEN for one of somebody else, where the token may not. */
  editComment(id: number, body: string): Promise<ForgeComment>;
  addLabels(issue_number: number, labels: readonly string[]): Promise<void>;
  /** A label that is not there is no error. */
  removeLabel(issue_number: number, label: string): Promise<void>;
  closeIssue(issue_number: number): Promise<void>;
  reopenIssue(issue_number: number): Promise<void>;
  createPull(pull: {
    readonly title: string;
    readonly body: string;
    readonly head: string;
    readonly base: string;
  }): Promise<ForgePull>;
  updatePull(
    pr_number: number,
    change: { readonly body?: string; readonly state?: 'open' | 'closed' },
  ): Promise<ForgePull>;
  requestReview(pr_number: number, logins: readonly string[]): Promise<void>;
  /** FORGE_SELF_REVIEW when the host refuses a verdict on one's own pull request. */
  review(
    pr_number: number,
    review: {
      readonly event: 'APPROVE' | 'REQUEST_CHANGES' | 'COMMENT';
      readonly body: string;
      readonly commit_id: Sha;
    },
  ): Promise<ForgeReview>;
  /**
   * FORGE_HEAD_MOVED (`sha` is not the head), FORGE_NOT_MERGEABLE (a conflict), FORGE_BEHIND (the host wants it up to date),
   * FORGE_MERGE_BLOCKED (a rule of the repository, a draft, closed), FORGE_MERGE_UNSETTLED (may pass, retryable). What another hand
   * has merged is merged.
   */
  merge(
    pr_number: number,
    merge: {
      readonly sha: Sha;
      readonly method: MergeMethod;
      readonly title?: string;
      readonly message?: string;
    },
  ): Promise<{ readonly merge_sha: Sha }>;
  deleteBranch(branch: string): Promise<void>;
}
