import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Which exchange failed. Neither path nor query nor headers are named: they hold secrets at times. */
export interface HttpFacts {
  readonly method: string;
  /** Name and port. */
  readonly host: string;
}

/** Why no answer came. */
export interface HttpErrorDetails {
  /** The address is none, has another scheme than http and https, or carries a credential. */
  HTTP_URL_INVALID: { readonly reason: string };
  /** The run's policy does not name the host. */
  HTTP_HOST_REFUSED: { readonly host: string; readonly allowed: readonly string[] };
  /** HTTP cannot carry the request as it is. */
  HTTP_REQUEST_INVALID: HttpFacts & { readonly reason: string };
  /** The answer was not whole in time. */
  HTTP_TIMEOUT: HttpFacts & { readonly timeout_ms: number };
  /** No connection, or it broke. */
  HTTP_UNREACHABLE: HttpFacts & { readonly reason: string };
  /** The answer leads where the request must not go. */
  HTTP_REDIRECT_REFUSED: HttpFacts & { readonly to: string; readonly reason: string };
  /** The body is longer than was allowed. */
  HTTP_BODY_TOO_LARGE: HttpFacts & { readonly max_bytes: number };
}

const httpMessage: Messages<HttpErrorDetails> = {
  HTTP_URL_INVALID: ({ reason }) =>
    `the address of the request is not usable: ${reason}; expected something like https://api.example.org/items`,
  HTTP_HOST_REFUSED: ({ host, allowed }) =>
    `the run may not reach ${host}: its policy allows ${allowed.join(', ') || 'no host'}`,
  HTTP_REQUEST_INVALID: ({ method, host, reason }) => `${method} to ${host} cannot be sent: ${reason}`,
  HTTP_TIMEOUT: ({ method, host, timeout_ms }) =>
    `${method} to ${host} had no complete answer within ${timeout_ms} ms`,
  HTTP_UNREACHABLE: ({ method, host, reason }) => `${method} to ${host} got no answer: ${reason}`,
  HTTP_REDIRECT_REFUSED: ({ method, host, to, reason }) =>
    `${method} to ${host} was sent on to ${to} and did not go there: ${reason}`,
  HTTP_BODY_TOO_LARGE: ({ method, host, max_bytes }) =>
    `the answer to ${method} from ${host} is longer than ${max_bytes} bytes`,
};

/** No answer came. */
export class HttpError<C extends keyof HttpErrorDetails = keyof HttpErrorDetails> extends CodedError<
  HttpErrorDetails,
  C
> {
  override readonly name = 'HttpError';

  constructor(code: C, details: HttpErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, httpMessage[code](details), options);
  }
}

/** Why a file was not read or written. */
export interface FileErrorDetails {
  /** The path leads out of the folders graphs may use, or to what they must not touch. */
  FILE_REFUSED: { readonly path: string; readonly reason: string };
  /** There is nothing of that name; for a write, no folder to put it in. */
  FILE_MISSING: { readonly path: string };
  /** The bytes are no UTF-8. */
  FILE_NOT_TEXT: { readonly path: string };
  /** The file is larger than what a graph can carry. */
  FILE_TOO_LARGE: { readonly path: string; readonly size_bytes: number; readonly max_bytes: number };
  /** It is no file, or the system refuses it. */
  FILE_UNREADABLE: { readonly path: string; readonly reason: string };
  /** The system refuses the write. */
  FILE_UNWRITABLE: { readonly path: string; readonly reason: string };
}

const fileMessage: Messages<FileErrorDetails> = {
  FILE_REFUSED: ({ path, reason }) => `graphs may not use ${path}: ${reason}`,
  FILE_MISSING: ({ path }) => `there is no ${path}`,
  FILE_NOT_TEXT: ({ path }) => `${path} is no UTF-8 text`,
  FILE_TOO_LARGE: ({ path, size_bytes, max_bytes }) =>
    `${path} has ${size_bytes} bytes; at most ${max_bytes} are read`,
  FILE_UNREADABLE: ({ path, reason }) => `${path} could not be read: ${reason}`,
  FILE_UNWRITABLE: ({ path, reason }) => `${path} could not be written: ${reason}`,
};

/** A file was not read or written. */
export class FileError<C extends keyof FileErrorDetails = keyof FileErrorDetails> extends CodedError<
  FileErrorDetails,
  C
> {
  override readonly name = 'FileError';

  constructor(code: C, details: FileErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, fileMessage[code](details), options);
  }
}

/** Why a program was not started, followed or ended. Arguments are never named. */
export interface ProcessErrorDetails {
  /** The variable is not on the list of those graphs may read. */
  ENV_NOT_ALLOWED: { readonly variable: string; readonly allowed: readonly string[] };
  /** The system did not start the program. */
  PROCESS_START_FAILED: { readonly cmd: string; readonly reason: string };
  /** The program was to work in a folder graphs may not use. */
  PROCESS_FOLDER_REFUSED: { readonly cmd: string; readonly cwd: string; readonly reason: string };
  /** The program did not end in time and was killed with its group. */
  PROCESS_TIMEOUT: { readonly cmd: string; readonly timeout_ms: number };
  /** No process of this pid was started here, or another one has the pid by now. */
  PROCESS_UNKNOWN: { readonly pid: number; readonly reason: string };
  /** The system has no such signal. */
  PROCESS_SIGNAL_UNKNOWN: { readonly signal: string };
  /** Standard input is a terminal, and nobody was asked to type. */
  STDIO_UNAVAILABLE: { readonly stream: string; readonly reason: string };
}

const processMessage: Messages<ProcessErrorDetails> = {
  ENV_NOT_ALLOWED: ({ variable, allowed }) =>
    `graphs may not read the variable ${variable}; they may read ${allowed.join(', ') || 'none'}`,
  PROCESS_START_FAILED: ({ cmd, reason }) => `${cmd} could not be started: ${reason}`,
  PROCESS_FOLDER_REFUSED: ({ cmd, cwd, reason }) => `${cmd} cannot work in ${cwd}: ${reason}`,
  PROCESS_TIMEOUT: ({ cmd, timeout_ms }) => `${cmd} took longer than ${timeout_ms} ms and was killed`,
  PROCESS_UNKNOWN: ({ pid, reason }) => `process ${pid} is left alone: ${reason}`,
  PROCESS_SIGNAL_UNKNOWN: ({ signal }) => `there is no signal ${signal}; expected a name like TERM`,
  STDIO_UNAVAILABLE: ({ stream, reason }) => `${stream} cannot be used: ${reason}`,
};

/** A program was not started, followed or ended. */
export class ProcessError<C extends keyof ProcessErrorDetails = keyof ProcessErrorDetails> extends CodedError<
  ProcessErrorDetails,
  C
> {
  override readonly name = 'ProcessError';

  constructor(code: C, details: ProcessErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, processMessage[code](details), options);
  }
}
