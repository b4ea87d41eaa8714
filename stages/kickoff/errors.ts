import { CodedError } from '@caloron/noether/stage';
import type { CodedErrorOptions, Messages } from '@caloron/noether/stage';

/** Why no DAG is made of a brief. */
export interface BriefErrorDetails {
  /** The brief holds no word. */
  KICKOFF_BRIEF_EMPTY: { readonly characters: number };
  /** The brief asks for more tasks than one sprint takes. */
  KICKOFF_TOO_MANY_TASKS: { readonly tasks: number; readonly most: number };
}

const message: Messages<BriefErrorDetails> = {
  KICKOFF_BRIEF_EMPTY: ({ characters }) => `the brief (${characters} characters) asks for nothing`,
  KICKOFF_TOO_MANY_TASKS: ({ tasks, most }) => `the brief gives ${tasks} tasks; a sprint takes ${most}`,
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
