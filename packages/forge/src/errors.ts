import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** One entry of `errors` in a 422 answer, as GitHub words it. */
export interface FieldProblem {
  readonly resource: string;
  readonly field?: string;
  readonly code:
    'missing' | 'missing_field' | 'invalid' | 'already_exists' | 'unprocessable' | 'too_large' | 'custom';
  readonly message?: string;
}

/** Why the local forge refused a request or could not start. Facts per code. */
export interface LocalForgeErrorDetails {
  /** 400: the body is no JSON, or not the JSON the route takes. */
  LOCAL_FORGE_BODY_UNREADABLE: { readonly reason: string };
  /** 401: the token is unknown. */
  LOCAL_FORGE_BAD_CREDENTIALS: Readonly<Record<string, never>>;
  /** 401: the request needs a token and carries none. */
  LOCAL_FORGE_AUTH_REQUIRED: Readonly<Record<string, never>>;
  /** 403: the token's user may not do this. */
  LOCAL_FORGE_FORBIDDEN: { readonly reason: string };
  /** 403: no request is left in this hour. `reset_at` is in seconds since 1970. */
  LOCAL_FORGE_RATE_LIMITED: { readonly login: string; readonly reset_at: number };
  /** 403: too many changes within a minute. */
  LOCAL_FORGE_SECONDARY_LIMITED: { readonly retry_after_s: number };
  /** 404: there is no such thing, or this user may not know of it. */
  LOCAL_FORGE_NOT_FOUND: { readonly reason?: string };
  /** 405: the pull request cannot be merged as it stands. */
  LOCAL_FORGE_NOT_MERGEABLE: { readonly reason: string };
  /** 406: the diff is longer than the forge gives as one text. */
  LOCAL_FORGE_DIFF_TOO_LARGE: { readonly bytes: number; readonly errors: readonly FieldProblem[] };
  /** 409: what the caller saw is no longer so. */
  LOCAL_FORGE_STALE: { readonly reason: string };
  /** 421: the Host header names no address of this machine (a page on another site asks). */
  LOCAL_FORGE_HOST_FOREIGN: { readonly host: string };
  /** 422: the request is understood and refused. */
  LOCAL_FORGE_REFUSED: { readonly reason: string; readonly errors?: readonly (FieldProblem | string)[] };
  /** The port to listen on is taken. */
  LOCAL_FORGE_PORT_IN_USE: { readonly host: string; readonly port: number };
  /** Another forge process holds the data directory. */
  LOCAL_FORGE_DATA_IN_USE: { readonly data: string };
  /** The data directory cannot be read as one of this forge. */
  LOCAL_FORGE_DATA_DAMAGED: { readonly data: string; readonly reason: string };
  /** A command-line option or variable has no use for its value. */
  LOCAL_FORGE_OPTION_INVALID: { readonly option: string; readonly given: string; readonly expected: string };
}

const messages: Messages<LocalForgeErrorDetails> = {
  LOCAL_FORGE_BODY_UNREADABLE: ({ reason }) => reason,
  LOCAL_FORGE_BAD_CREDENTIALS: () => 'Bad credentials',
  LOCAL_FORGE_AUTH_REQUIRED: () => 'Requires authentication',
  LOCAL_FORGE_FORBIDDEN: ({ reason }) => reason,
  LOCAL_FORGE_RATE_LIMITED: ({ login }) => `API rate limit exceeded for user ${login}.`,
  LOCAL_FORGE_SECONDARY_LIMITED: () =>
    'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
  LOCAL_FORGE_NOT_FOUND: ({ reason }) => reason ?? 'Not Found',
  LOCAL_FORGE_NOT_MERGEABLE: ({ reason }) => reason,
  LOCAL_FORGE_DIFF_TOO_LARGE: ({ bytes }) => `Sorry, the diff exceeded the maximum size (${bytes} bytes)`,
  LOCAL_FORGE_STALE: ({ reason }) => reason,
  LOCAL_FORGE_HOST_FOREIGN: ({ host }) =>
    `this forge answers on this machine's own addresses, not as ${host}`,
  LOCAL_FORGE_REFUSED: ({ reason }) => reason,
  LOCAL_FORGE_PORT_IN_USE: ({ host, port }) => `port ${port} on ${host} is taken by another process`,
  LOCAL_FORGE_DATA_IN_USE: ({ data }) => `another caloron-forge is running on ${data}`,
  LOCAL_FORGE_DATA_DAMAGED: ({ data, reason }) => `${data} is not a usable forge data directory: ${reason}`,
  LOCAL_FORGE_OPTION_INVALID: ({ option, given, expected }) =>
    `${option}: expected ${expected}, got "${given}"`,
};

const statuses: Partial<Record<keyof LocalForgeErrorDetails, number>> = {
  LOCAL_FORGE_BODY_UNREADABLE: 400,
  LOCAL_FORGE_BAD_CREDENTIALS: 401,
  LOCAL_FORGE_AUTH_REQUIRED: 401,
  LOCAL_FORGE_FORBIDDEN: 403,
  LOCAL_FORGE_RATE_LIMITED: 403,
  LOCAL_FORGE_SECONDARY_LIMITED: 403,
  LOCAL_FORGE_NOT_FOUND: 404,
  LOCAL_FORGE_NOT_MERGEABLE: 405,
  LOCAL_FORGE_DIFF_TOO_LARGE: 406,
  LOCAL_FORGE_STALE: 409,
  LOCAL_FORGE_HOST_FOREIGN: 421,
  LOCAL_FORGE_REFUSED: 422,
};

/** The local forge refused a request or could not start. */
export class LocalForgeError<
  C extends keyof LocalForgeErrorDetails = keyof LocalForgeErrorDetails,
> extends CodedError<LocalForgeErrorDetails, C> {
  override readonly name = 'LocalForgeError';

  constructor(code: C, details: LocalForgeErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, messages[code](details), options);
  }
}

/** The HTTP status an error is answered with; 500 for anything that is no refusal of ours. */
export function statusOf(error: unknown): number {
  if (!(error instanceof LocalForgeError)) return 500;
  const code: keyof LocalForgeErrorDetails = error.code;
  return statuses[code] ?? 500;
}

/** A 404 that tells nothing, as GitHub answers for what is absent and for what is hidden. */
export function notFound(reason?: string): LocalForgeError<'LOCAL_FORGE_NOT_FOUND'> {
  return new LocalForgeError('LOCAL_FORGE_NOT_FOUND', reason === undefined ? {} : { reason });
}

/** A 422 "Validation Failed" with its problems. */
export function refused(...errors: readonly FieldProblem[]): LocalForgeError<'LOCAL_FORGE_REFUSED'> {
  return new LocalForgeError('LOCAL_FORGE_REFUSED', { reason: 'Validation Failed', errors });
}
