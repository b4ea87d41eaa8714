import { CodedError, type CodedErrorOptions, type Messages } from '../errors.ts';

/** Why a stage cannot be catalogued or called. */
export interface StageErrorDetails {
  /** A schema of the stage has no type in graphs. */
  STAGE_TYPE_UNSUPPORTED: { readonly stage: string; readonly path: string; readonly schema: string };
  /** Two stages of one catalog have the same name. */
  STAGE_NAME_TAKEN: { readonly stage: string };
  /** The value given to the stage does not fit its input schema. */
  STAGE_INPUT_INVALID: { readonly stage: string; readonly path: string; readonly issues: readonly string[] };
  /** The stage answered with something its output schema refuses. */
  STAGE_OUTPUT_INVALID: { readonly stage: string; readonly path: string; readonly issues: readonly string[] };
  /** The stage threw. `cause_code` is its own code, null for an error without one. */
  STAGE_FAILED: {
    readonly stage: string;
    readonly path: string;
    readonly cause_code: string | null;
    readonly reason: string;
  };
  /** The runner has no client for a capability the stage names. */
  STAGE_CAPABILITY_MISSING: { readonly stage: string; readonly path: string; readonly capability: string };
  /** A remote stage could not be reached or did not answer as one. */
  STAGE_REMOTE_FAILED: { readonly url: string; readonly path: string; readonly reason: string };
}

const message: Messages<StageErrorDetails> = {
  STAGE_TYPE_UNSUPPORTED: ({ stage, path, schema }) =>
    `stage ${stage}: ${path} is a schema of kind ${schema}, which has no type in graphs`,
  STAGE_NAME_TAKEN: ({ stage }) => `two stages are called ${stage}; a name belongs to one stage`,
  STAGE_INPUT_INVALID: ({ stage, path, issues }) =>
    `${path}: stage ${stage} refuses its input: ${issues.join('; ')}`,
  STAGE_OUTPUT_INVALID: ({ stage, path, issues }) =>
    `${path}: stage ${stage} gave an output its own schema refuses: ${issues.join('; ')}`,
  STAGE_FAILED: ({ stage, path, reason }) => `${path}: stage ${stage} failed: ${reason}`,
  STAGE_CAPABILITY_MISSING: ({ stage, path, capability }) =>
    `${path}: stage ${stage} needs the capability ${capability}, which this runner does not provide`,
  STAGE_REMOTE_FAILED: ({ url, path, reason }) => `${path}: remote call to ${url} failed: ${reason}`,
};

/** A stage cannot be catalogued or called. */
export class StageError<C extends keyof StageErrorDetails = keyof StageErrorDetails> extends CodedError<
  StageErrorDetails,
  C
> {
  override readonly name = 'StageError';

  constructor(code: C, details: StageErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
