import { CodedError } from '@caloron/noether/stage';
import type { CodedErrorOptions, Messages } from '@caloron/noether/stage';

/** Why no DAG is made of a brief. */
export interface BriefErrorDetails {
  /** The brief holds no word. */
  KICKOFF_BRIEF_EMPTY: { readonly characters: number };
  /** The brief asks for more tasks than one sprint takes. */
  KICKOFF_TOO_MANY_TASKS: { readonly tasks: number; readonly most: number };
  /** The repository has no commit, so no branch that work could begin on. */
  KICKOFF_REPO_EMPTY: { readonly repo: string; readonly branch: string };
  /** A graph plans a new sprint without having read its repository. */
  KICKOFF_REPO_UNREAD: { readonly repo: string };
  /** The account whose token agents push with may only read the repository. */
  KICKOFF_REPO_READONLY: { readonly repo: string; readonly login: string; readonly token_env: string };
}

const message: Messages<BriefErrorDetails> = {
  KICKOFF_BRIEF_EMPTY: ({ characters }) => `the brief (${characters} characters) asks for nothing`,
  KICKOFF_TOO_MANY_TASKS: ({ tasks, most }) => `the brief gives ${tasks} tasks; a sprint takes ${most}`,
  KICKOFF_REPO_EMPTY: ({ repo }) => `${repo} has no commit yet: there is no branch work could begin on`,
  KICKOFF_REPO_UNREAD: ({ repo }) =>
    `${repo} was not read: repo_context is null, which only a sprint that exists already may have`,
  KICKOFF_REPO_READONLY: ({ repo, login, token_env }) =>
    `${login}, whose token ${token_env} holds, may read ${repo} and not push to it: agents could deliver nothing`,
};

/** No DAG can be made of a brief. */
export class BriefError<C extends keyof BriefErrorDetails = keyof BriefErrorDetails> extends CodedError<
  BriefErrorDetails,
  C
> {
  override readonly name = 'BriefError';

  constructor(code: C, details: BriefErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
