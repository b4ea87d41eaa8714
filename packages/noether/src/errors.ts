/** One sentence per code of a family, made from the facts of the throw. */
export type Messages<D> = { readonly [C in keyof D]: (details: D[C]) => string };

/** What a CodedError carries beyond code and facts. */
export interface CodedErrorOptions extends ErrorOptions {
  /** True when the same call may succeed later. */
  readonly retryable?: boolean;
  /** True when nothing is wrong and there is nothing to do now: a run that ends by it counts as skipped. */
  readonly skips?: boolean;
  /** The next command or step to try, for a person. */
  readonly hint?: string;
}

/** An error whose identity is its `code`: the message may change, the code never does. */
export class CodedError<D = object, C extends keyof D = keyof D> extends Error {
  override readonly name: string = 'CodedError';
  readonly code: C;
  readonly details: D[C];
  readonly retryable: boolean;
  readonly skips: boolean;
  readonly hint: string | undefined;

  constructor(code: C, details: D[C], message: string, options: CodedErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = details;
    this.retryable = options.retryable ?? false;
    this.skips = options.skips ?? false;
    this.hint = options.hint;
  }
}

/** The code of any thrown value: its own for a CodedError, `fallback` for everything else. */
export function codeOf(error: unknown, fallback = 'UNEXPECTED'): string {
  return error instanceof CodedError ? String(error.code) : fallback;
}

/** The message of any thrown value. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether the call that threw may succeed later; false for anything that does not say so. */
export function isRetryable(error: unknown): boolean {
  return error instanceof CodedError && error.retryable;
}
