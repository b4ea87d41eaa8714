import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why git did not do what was asked. Arguments and stderr carry no credential. */
export interface GitErrorDetails {
  /** git ended with an exit code that the caller did not allow; null when a signal ended it. */
  GIT_FAILED: {
    readonly args: readonly string[];
    readonly exit_code: number | null;
    readonly signal: string | null;
    /** The last 2000 characters. */
    readonly stderr: string;
  };
  /** git did not end in time and was stopped. */
  GIT_TIMEOUT: { readonly args: readonly string[]; readonly timeout_ms: number };
  /** The caller's signal stopped git. */
  GIT_ABORTED: { readonly args: readonly string[] };
  /** There is no git on the PATH. */
  GIT_MISSING: { readonly args: readonly string[] };
  /** The directory git should work in does not exist. */
  GIT_CWD_MISSING: { readonly args: readonly string[]; readonly cwd: string };
}

const gitMessage: Messages<GitErrorDetails> = {
  GIT_FAILED: ({ args, exit_code, signal, stderr }) =>
    `git ${args.join(' ')} ended with ${exit_code === null ? `signal ${signal ?? 'unknown'}` : `exit code ${exit_code}`}: ${stderr.trim() || 'it said nothing'}`,
  GIT_TIMEOUT: ({ args, timeout_ms }) =>
    `git ${args.join(' ')} took longer than ${timeout_ms} ms and was stopped`,
  GIT_ABORTED: ({ args }) => `git ${args.join(' ')} was stopped by its caller`,
  GIT_MISSING: () => 'there is no git on the PATH of this process; git 2.39 or newer is needed',
  GIT_CWD_MISSING: ({ args, cwd }) => `git ${args.join(' ')} should run in ${cwd}, which is no directory`,
};

/** git did not do what was asked. */
export class GitError<C extends keyof GitErrorDetails = keyof GitErrorDetails> extends CodedError<
  GitErrorDetails,
  C
> {
  override readonly name = 'GitError';

  constructor(code: C, details: GitErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, gitMessage[code](details), options);
  }
}

/** Why the shell did not do what was asked. */
export interface ShellClientErrorDetails {
  /** The address is no http(s) address, or neither this machine nor the configured shell: the token stays here. */
  SHELL_URL_INVALID: { readonly url: string; readonly reason: string };
  /** No answer: no connection, or not in time. */
  SHELL_UNREACHABLE: { readonly url: string; readonly reason: string };
  /** The shell said no; `code` and `error` are its own. */
  SHELL_REFUSED: {
    readonly url: string;
    readonly path: string;
    readonly status: number;
    readonly code: string;
    readonly error: string;
  };
  /** The shell works on another database. */
  SHELL_OTHER_DATABASE: { readonly url: string; readonly expected: string; readonly actual: string };
  /** What answered is no shell of this version. */
  SHELL_ANSWER_INVALID: { readonly url: string; readonly path: string; readonly issues: readonly string[] };
}

const shellMessage: Messages<ShellClientErrorDetails> = {
  SHELL_URL_INVALID: ({ url, reason }) => `${url} cannot be the shell's address: ${reason}`,
  SHELL_UNREACHABLE: ({ url, reason }) => `the shell at ${url} does not answer: ${reason}`,
  SHELL_REFUSED: ({ url, path, status, code, error }) =>
    `the shell at ${url} refused ${path} (${status} ${code}): ${error}`,
  SHELL_OTHER_DATABASE: ({ url, expected, actual }) =>
    `the shell at ${url} works on database ${actual}, not on ${expected}: it belongs to another home`,
  SHELL_ANSWER_INVALID: ({ url, path, issues }) =>
    `what answers ${path} at ${url} is no shell of this version: ${issues.join('; ')}`,
};

/** The shell did not do what was asked. */
export class ShellClientError<
  C extends keyof ShellClientErrorDetails = keyof ShellClientErrorDetails,
> extends CodedError<ShellClientErrorDetails, C> {
  override readonly name = 'ShellClientError';

  constructor(code: C, details: ShellClientErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, shellMessage[code](details), options);
  }
}

/** Why no completion came. No detail carries a key. */
export interface LlmErrorDetails {
  /** No provider is configured. */
  LLM_UNAVAILABLE: { readonly reason: string };
  /** The provider refused the request or could not be reached. */
  LLM_FAILED: {
    readonly provider: string;
    readonly model: string;
    readonly status: number | null;
    readonly reason: string;
  };
  /** The provider's answer holds no text. */
  LLM_EMPTY: { readonly provider: string; readonly model: string; readonly stop_reason: string };
}

const llmMessage: Messages<LlmErrorDetails> = {
  LLM_UNAVAILABLE: ({ reason }) => `no model is configured: ${reason}`,
  LLM_FAILED: ({ provider, model, status, reason }) =>
    `${provider} gave no completion of ${model}${status === null ? '' : ` (${status})`}: ${reason}`,
  LLM_EMPTY: ({ provider, model, stop_reason }) =>
    `${provider} answered for ${model} without text (${stop_reason})`,
};

/** No completion came. */
export class LlmError<C extends keyof LlmErrorDetails = keyof LlmErrorDetails> extends CodedError<
  LlmErrorDetails,
  C
> {
  override readonly name = 'LlmError';

  constructor(code: C, details: LlmErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, llmMessage[code](details), options);
  }
}

/** Why a stage's source could not be read. */
export interface SourceErrorDetails {
  /** A stage file or one it imports is missing or no file. */
  SOURCE_MISSING: { readonly file: string; readonly imported_by: string | null };
  /** A relative import leads out of the root. */
  SOURCE_OUTSIDE: { readonly file: string; readonly imported_by: string | null };
}

const sourceMessage: Messages<SourceErrorDetails> = {
  SOURCE_MISSING: ({ file, imported_by }) =>
    `there is no file ${file}${imported_by === null ? '' : `, which ${imported_by} imports`}`,
  SOURCE_OUTSIDE: ({ file, imported_by }) =>
    `${file}${imported_by === null ? '' : `, which ${imported_by} imports,`} lies outside the stages' root`,
};

/** A stage's source could not be read. */
export class SourceError<C extends keyof SourceErrorDetails = keyof SourceErrorDetails> extends CodedError<
  SourceErrorDetails,
  C
> {
  override readonly name = 'SourceError';

  constructor(code: C, details: SourceErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, sourceMessage[code](details), options);
  }
}

/** Why a report was not written. */
export interface ReportErrorDetails {
  /** The file system refused the file. */
  REPORT_UNWRITABLE: { readonly file: string; readonly reason: string };
}

const reportMessage: Messages<ReportErrorDetails> = {
  REPORT_UNWRITABLE: ({ file, reason }) => `the report ${file} could not be written: ${reason}`,
};

/** A report was not written. */
export class ReportError<C extends keyof ReportErrorDetails = keyof ReportErrorDetails> extends CodedError<
  ReportErrorDetails,
  C
> {
  override readonly name = 'ReportError';

  constructor(code: C, details: ReportErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, reportMessage[code](details), options);
  }
}
