import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';
import type { Timestamp } from '@caloron/types';

/** What was being done where, and what the host said. */
export interface ForgeFacts {
  /** API address. */
  readonly host: string;
  readonly repo: string;
  /** What was tried, e.g. `merge pull request #7`. */
  readonly doing: string;
  /** HTTP status; null when no answer came. */
  readonly status: number | null;
  /** The host's own words or the network's reason, at most 300 characters. */
  readonly answer: string;
}

/** Why a forge did not do what was asked. No detail carries a token. */
export interface ForgeErrorDetails {
  /** The variable is not on the allow-list of token variables. */
  FORGE_TOKEN_NOT_ALLOWED: { readonly token_env: string; readonly allowed: readonly string[] };
  /** The variable is allowed and not set. */
  FORGE_TOKEN_MISSING: { readonly token_env: string };
  /** What the variable holds cannot be a token, and was sent to nobody. */
  FORGE_TOKEN_MALFORMED: { readonly token_env: string };
  /** The variable's token belongs to another host and stays there; null: nobody said where it belongs. */
  FORGE_TOKEN_OTHER_HOST: {
    readonly token_env: string;
    readonly host: string;
    readonly belongs_to: string | null;
  };
  /** The GitHub App that stands under the variable's name gives no token. */
  FORGE_APP_INVALID: { readonly token_env: string; readonly reason: string };
  /** The API address is no http(s) address without credentials, query and fragment. */
  FORGE_HOST_INVALID: { readonly host: string; readonly reason: string };
  /** The repository is not `owner/name`. */
  FORGE_REPO_INVALID: { readonly repo: string };
  /** 401: the host does not know the token. */
  FORGE_UNAUTHORIZED: ForgeFacts;
  /** 403: the token may not do this. */
  FORGE_FORBIDDEN: ForgeFacts;
  /** 404: nothing there, or the token may not see it. */
  FORGE_NOT_FOUND: ForgeFacts;
  /** 409: the host's state stands against it. */
  FORGE_CONFLICT: ForgeFacts;
  /** 400, 422 and other refusals of the request itself. */
  FORGE_INVALID: ForgeFacts;
  /** The host does not merge it for a conflict with its base. */
  FORGE_NOT_MERGEABLE: ForgeFacts;
  /** The host does not merge it before it contains all of its base. */
  FORGE_BEHIND: ForgeFacts;
  /** The host does not merge it though it conflicts with nothing: a rule of the repository, a merge method that is off, a draft, closed. */
  FORGE_MERGE_BLOCKED: ForgeFacts;
  /** The host did not merge it, and nothing stands against it now: its base was just moved, or the host is still finding out. Retryable. */
  FORGE_MERGE_UNSETTLED: ForgeFacts;
  /** The commit to merge is no longer the head. */
  FORGE_HEAD_MOVED: ForgeFacts;
  /** The host refuses a verdict on one's own pull request. */
  FORGE_SELF_REVIEW: ForgeFacts & { readonly pr_number: number; readonly login: string };
  /** The host limits requests until `reset_at`, because they are used up or come too fast; null when it does not say. */
  FORGE_RATE_LIMITED: ForgeFacts & { readonly reset_at: Timestamp | null };
  /** No request was made: nothing is asked of the host with this token until `reset_at`; `answer` says why. Retryable. */
  FORGE_PARKED: ForgeFacts & { readonly reset_at: Timestamp };
  /** 5xx, no connection, or no answer in time. */
  FORGE_UNAVAILABLE: ForgeFacts;
  /** The answer is not what the API promises: a page, another shape, a redirect to another host. */
  FORGE_ANSWER_INVALID: ForgeFacts;
  /** The answer is longer than is read; the rest of it was not taken. */
  FORGE_ANSWER_TOO_LARGE: ForgeFacts;
}

function said(facts: ForgeFacts): string {
  return facts.answer === '' ? '' : `: ${facts.answer}`;
}

function where(facts: ForgeFacts): string {
  return `${facts.repo} on ${facts.host}`;
}

const forgeMessage: Messages<ForgeErrorDetails> = {
  FORGE_TOKEN_NOT_ALLOWED: ({ token_env, allowed }) =>
    `${token_env} is not on the list of token variables (${allowed.join(', ') || 'the list is empty'})`,
  FORGE_TOKEN_MISSING: ({ token_env }) =>
    `the variable ${token_env}, which should hold the forge token, is not set`,
  FORGE_TOKEN_MALFORMED: ({ token_env }) =>
    `the variable ${token_env} holds no token: expected one word of letters, digits and signs, and there are spaces, line breaks or other characters in it`,
  FORGE_TOKEN_OTHER_HOST: ({ token_env, host, belongs_to }) =>
    `the token in ${token_env} ${belongs_to === null ? 'was given no host' : `belongs to ${belongs_to}`} and is not sent to ${host}`,
  FORGE_APP_INVALID: ({ token_env, reason }) => `the GitHub App of ${token_env} gives no token: ${reason}`,
  FORGE_HOST_INVALID: ({ host, reason }) =>
    `${host} is no API address of a forge: ${reason}; expected something like https://git.example.org/api/v1`,
  FORGE_REPO_INVALID: ({ repo }) => `${JSON.stringify(repo)} is no repository; expected owner/name`,
  FORGE_UNAUTHORIZED: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the host does not accept the token (401)`,
  FORGE_FORBIDDEN: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the token may not do this (403)${said(facts)}`,
  FORGE_NOT_FOUND: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: there is nothing of that name, or the token may not see it (404)`,
  FORGE_CONFLICT: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: it conflicts with what is there (409)${said(facts)}`,
  FORGE_INVALID: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the host refused the request (${facts.status ?? 'no status'})${said(facts)}`,
  FORGE_NOT_MERGEABLE: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: it conflicts with its base${said(facts)}`,
  FORGE_BEHIND: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the host wants it up to date with its base${said(facts)}`,
  FORGE_MERGE_BLOCKED: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the host does not allow it as it is, and there is no conflict${said(facts)}`,
  FORGE_MERGE_UNSETTLED: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: its base was just moved, or the host is still finding out${said(facts)}`,
  FORGE_HEAD_MOVED: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: its head is no longer the commit that was approved${said(facts)}`,
  FORGE_SELF_REVIEW: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: ${facts.login} opened it, and the host takes no verdict from its author`,
  FORGE_RATE_LIMITED: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the host limits requests${facts.reset_at === null ? '' : ` until ${facts.reset_at}`}${said(facts)}`,
  FORGE_PARKED: (facts) =>
    `did not try to ${facts.doing} in ${where(facts)}: nothing is asked there until ${facts.reset_at}${said(facts)}`,
  FORGE_UNAVAILABLE: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: ${facts.status === null ? 'no answer came' : `the host has a fault (${facts.status})`}${said(facts)}`,
  FORGE_ANSWER_INVALID: (facts) =>
    `could not ${facts.doing} in ${where(facts)}: the answer is not that of a forge API (${facts.status ?? 'no status'})${said(facts)}`,
  FORGE_ANSWER_TOO_LARGE: (facts) => `could not ${facts.doing} in ${where(facts)}: ${facts.answer}`,
};

/** A forge did not do what was asked. */
export class ForgeError<C extends keyof ForgeErrorDetails = keyof ForgeErrorDetails> extends CodedError<
  ForgeErrorDetails,
  C
> {
  override readonly name = 'ForgeError';

  constructor(code: C, details: ForgeErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, forgeMessage[code](details), options);
  }
}
