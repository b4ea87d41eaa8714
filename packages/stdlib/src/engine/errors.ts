import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/stage';

/** Why a stage that asks the engine about itself cannot answer. */
export interface EngineStageErrorDetails {
  /** The value is no type in its JSON form. */
  TYPE_INVALID: { readonly field: string; readonly issues: readonly string[] };
  /** No run of this installation has this id, nor its composition. */
  TRACE_UNKNOWN: { readonly reference: string };
}

const message: Messages<EngineStageErrorDetails> = {
  TYPE_INVALID: ({ field, issues }) =>
    `${field} is no type: ${issues.join('; ')}; expected something like {"kind":"List","value":{"kind":"Text"}}`,
  TRACE_UNKNOWN: ({ reference }) => `there is no run and no composition ${JSON.stringify(reference)}`,
};

/** The engine cannot be asked so. */
export class EngineStageError<
  C extends keyof EngineStageErrorDetails = keyof EngineStageErrorDetails,
> extends CodedError<EngineStageErrorDetails, C> {
  override readonly name = 'EngineStageError';

  constructor(code: C, details: EngineStageErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
