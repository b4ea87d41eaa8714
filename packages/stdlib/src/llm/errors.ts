import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/stage';

/** Why a model's answer is of no use. */
export interface LlmAnswerErrorDetails {
  /** The model did not answer in the form it was asked for. `answer` is its beginning, at most 200 characters. */
  LLM_ANSWER_INVALID: { readonly model: string; readonly expected: string; readonly answer: string };
  /** There is no category a text could belong to. */
  LLM_CATEGORIES_EMPTY: object;
}

const message: Messages<LlmAnswerErrorDetails> = {
  LLM_ANSWER_INVALID: ({ model, expected, answer }) =>
    `${model} did not answer with ${expected}: ${JSON.stringify(answer)}`,
  LLM_CATEGORIES_EMPTY: () => 'there is no category to choose from; expected one or more',
};

/** A model's answer is of no use; another one may be. */
export class LlmAnswerError<
  C extends keyof LlmAnswerErrorDetails = keyof LlmAnswerErrorDetails,
> extends CodedError<LlmAnswerErrorDetails, C> {
  override readonly name = 'LlmAnswerError';

  constructor(code: C, details: LlmAnswerErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, message[code](details), options);
  }
}
