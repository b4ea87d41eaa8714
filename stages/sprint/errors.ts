import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/stage';

/** Why a stage refuses a sprint, a kickoff or an action. */
export interface SprintErrorDetails {
  /** The tick was given another repository than the sprint works on. */
  SPRINT_REPO_MISMATCH: { readonly sprint_id: string; readonly expected: string; readonly given: string };
  /** The tick was given another forge than the sprint works on. */
  SPRINT_HOST_MISMATCH: { readonly sprint_id: string; readonly expected: string; readonly given: string };
  /** A stage that asks the forge was told neither a target nor a repository. */
  SPRINT_TARGET_MISSING: { readonly stage: string };
  /** A value of the store does not have the shape its key promises. */
  SPRINT_VALUE_INVALID: { readonly key: string; readonly problems: readonly string[] };
  /** Another sprint of this home is still open. */
  KICKOFF_SPRINT_ACTIVE: { readonly active: string; readonly repo: string };
  /** The sprint id is taken by a sprint that is over or works elsewhere. */
  KICKOFF_SPRINT_EXISTS: { readonly sprint_id: string };
  /** The generated DAG breaks rules; every one is listed. */
  KICKOFF_DAG_INVALID: { readonly problems: readonly string[] };
}

const message: Messages<SprintErrorDetails> = {
  SPRINT_REPO_MISMATCH: ({ sprint_id, expected, given }) =>
    `sprint ${sprint_id} works on ${expected}; the tick was given ${given}`,
  SPRINT_HOST_MISMATCH: ({ sprint_id, expected, given }) =>
    `sprint ${sprint_id} works on the forge ${expected}; the tick was given ${given}`,
  SPRINT_TARGET_MISSING: ({ stage }) => `${stage} needs "target" or "repo" (owner/name)`,
  SPRINT_VALUE_INVALID: ({ key, problems }) => `the value at ${key}: ${problems.join('; ')}`,
  KICKOFF_SPRINT_ACTIVE: ({ active, repo }) => `sprint ${active} on ${repo} is still open`,
  KICKOFF_SPRINT_EXISTS: ({ sprint_id }) => `there is a sprint ${sprint_id} already`,
  KICKOFF_DAG_INVALID: ({ problems }) => `the DAG cannot be run: ${problems.join('; ')}`,
};

/** What to do where the id of a new sprint is another's. */
export const OTHER_ID = 'give the sprint another id: ./caloron kickoff --sprint-id ID';

/** A stage refuses a sprint or a kickoff. */
export class SprintError<C extends keyof SprintErrorDetails = keyof SprintErrorDetails> extends CodedError<
  SprintErrorDetails,
  C
> {
  override readonly name = 'SprintError';

  constructor(code: C, details: SprintErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}

/** Why an action is not taken. */
export interface ActErrorDetails {
  /** No answer says whether it was written: the host's lists show it at `reset_at` at the latest. Retryable. */
  FORGE_UNAVAILABLE: { readonly why: string; readonly reset_at: string };
  /** The pull request conflicts with its base. */
  FORGE_NOT_MERGEABLE: { readonly pr_number: number; readonly base_branch: string };
  /** The pull request is a draft: it is merged once it is ready. Retryable. */
  MERGE_DRAFT: { readonly pr_number: number; readonly reset_at: string };
  /** The pull request was closed without merge. */
  MERGE_CLOSED: { readonly pr_number: number };
  /** The host does not allow the merge though there is no conflict; it is tried again. Retryable. */
  MERGE_BLOCKED: { readonly pr_number: number; readonly answer: string; readonly reset_at: string };
  /** The pull request aims at another branch than the sprint's. */
  MERGE_OTHER_BASE: {
    readonly pr_number: number;
    readonly base_ref: string;
    readonly base_branch: string;
  };
  /** The head of the pull request lies in another repository. */
  MERGE_FROM_FORK: { readonly pr_number: number };
  /** The task is over, or has another pull request by now. */
  MERGE_NOT_WANTED: { readonly pr_number: number; readonly why: string };
  /** The pull request has another head than the one that was approved. */
  FORGE_HEAD_MOVED: { readonly pr_number: number; readonly expected: string; readonly actual: string };
  /** The forge is still finding out whether the pull request merges. Retryable. */
  MERGE_NOT_KNOWN_YET: { readonly pr_number: number };
  /** An agent of another sprint met a limit of the provider; null waits for a person. Retryable. */
  PROVIDER_HELD: {
    readonly provider: string;
    readonly sprint_id: string;
    readonly reset_at: string | null;
  };
  /** Another orchestrator has the task's issue, until `reset_at` unless it renews its claim. Retryable. */
  CLAIM_HELD: {
    readonly issue_number: number;
    /** The id of the other home's database. */
    readonly home: string;
    /** Login of the claim's comment; null for a deleted account. */
    readonly by: string | null;
    readonly since: string;
    readonly reset_at: string;
  };
  /** Whether this orchestrator has the task's issue is not known yet: asked again at `reset_at`. Retryable. */
  CLAIM_UNSETTLED: { readonly issue_number: number; readonly why: string; readonly reset_at: string };
  /** The head to merge does not contain the base its work was begun on. */
  MERGE_BASE_LOST: { readonly pr_number: number; readonly head_sha: string; readonly base_sha: string };
  /** The base branch lost the commit the work was begun on: the merge would bring back what was taken out of it. */
  MERGE_BASE_REWRITTEN: {
    readonly pr_number: number;
    readonly base_branch: string;
    readonly base_sha: string;
  };
  /** The base branch has moved on, and the sprint asks for heads that are up to date. */
  MERGE_BASE_BEHIND: { readonly pr_number: number; readonly base_branch: string; readonly behind: number };
  /** What was intended is not wanted any more, or for now not: its task has moved on since. */
  ACTION_OVERTAKEN: { readonly action: string; readonly why: string };
  /** The action names no task of the sprint. */
  ACTION_TASK_UNKNOWN: { readonly action_id: string; readonly task_id: string | null };
  /** The sprint does not take actions of this type. */
  ACTION_NOT_SUPPORTED: { readonly type: string };
}

const actMessage: Messages<ActErrorDetails> = {
  FORGE_UNAVAILABLE: ({ why, reset_at }) =>
    `${why}; it may have been written all the same, and is looked for from ${reset_at} on`,
  FORGE_NOT_MERGEABLE: ({ pr_number, base_branch }) =>
    `PR #${String(pr_number)} cannot be merged: it conflicts with ${base_branch}`,
  MERGE_DRAFT: ({ pr_number }) => `PR #${String(pr_number)} is a draft`,
  MERGE_CLOSED: ({ pr_number }) => `PR #${String(pr_number)} is closed`,
  MERGE_BLOCKED: ({ pr_number, answer }) => `the host does not merge PR #${String(pr_number)}: ${answer}`,
  MERGE_OTHER_BASE: ({ pr_number, base_ref, base_branch }) =>
    `PR #${String(pr_number)} aims at ${base_ref}, not at ${base_branch}`,
  MERGE_FROM_FORK: ({ pr_number }) =>
    `PR #${String(pr_number)} cannot be merged: its head lies in another repository`,
  MERGE_NOT_WANTED: ({ pr_number, why }) => `PR #${String(pr_number)} is not merged any more: ${why}`,
  FORGE_HEAD_MOVED: ({ pr_number, expected, actual }) =>
    `PR #${String(pr_number)} has the head ${actual}; ${expected} was approved`,
  MERGE_NOT_KNOWN_YET: ({ pr_number }) =>
    `the forge has not said yet whether PR #${String(pr_number)} can be merged`,
  PROVIDER_HELD: ({ provider, sprint_id, reset_at }) =>
    `${provider} ${reset_at === null ? 'until a person answers' : `until ${reset_at}`}, as an agent of sprint ${sprint_id} met`,
  CLAIM_HELD: ({ issue_number, home, by, since, reset_at }) =>
    `another orchestrator (home ${home.slice(0, 8)}, as ${by ?? 'a deleted account'}) has issue #${String(issue_number)} since ${since}, until ${reset_at} unless it renews its claim`,
  CLAIM_UNSETTLED: ({ issue_number, why }) =>
    `the claim of issue #${String(issue_number)} is not settled: ${why}`,
  MERGE_BASE_LOST: ({ pr_number, head_sha, base_sha }) =>
    `PR #${String(pr_number)}: its head ${head_sha} does not contain its base ${base_sha}`,
  MERGE_BASE_REWRITTEN: ({ pr_number, base_branch, base_sha }) =>
    `PR #${String(pr_number)}: ${base_branch} was rewritten and no longer contains ${base_sha}, which it builds on`,
  MERGE_BASE_BEHIND: ({ pr_number, base_branch, behind }) =>
    `PR #${String(pr_number)} lacks ${String(behind)} of the commits of ${base_branch}, and require_up_to_date is set`,
  ACTION_OVERTAKEN: ({ action, why }) => `${action} is not wanted now: ${why}`,
  ACTION_TASK_UNKNOWN: ({ action_id, task_id }) =>
    `action ${action_id} is about ${task_id === null ? 'no task' : `the unknown task ${task_id}`}`,
  ACTION_NOT_SUPPORTED: ({ type }) => `a sprint takes no ${type} action`,
};

/** An action is not taken. */
export class ActError<C extends keyof ActErrorDetails = keyof ActErrorDetails> extends CodedError<
  ActErrorDetails,
  C
> {
  override readonly name = 'ActError';

  constructor(code: C, details: ActErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, actMessage[code](details), options);
  }
}
