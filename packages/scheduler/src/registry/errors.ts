import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why a registry does not start, refuses a request, or has not taken a stage. */
export interface RegistryErrorDetails {
  /** The stage store to serve has no file at its path. */
  REGISTRY_STORE_MISSING: { readonly path: string };
  /** A registry that anybody may read would listen where other machines reach it, and nobody said that this is meant. */
  REGISTRY_READS_OPEN: { readonly host: string };
  /** A variable with keys of the registry holds one that is none. */
  REGISTRY_KEY_INVALID: { readonly name: string; readonly reason: string };
  /** The registry's port is taken by another process. */
  REGISTRY_PORT_IN_USE: { readonly port: number; readonly host: string };
  /** The registry's address is not one of this machine. */
  REGISTRY_HOST_INVALID: { readonly host: string };
  /** The registry wants a key: none came, or one it does not know. */
  REGISTRY_KEY_REQUIRED: { readonly reason: 'missing' | 'unknown' };
  /** The key may only read, or nothing can be pushed to this registry. */
  REGISTRY_PUSH_FORBIDDEN: { readonly reason: 'key' | 'registry' };
  /** The registry has no such route. */
  REGISTRY_ROUTE_UNKNOWN: { readonly method: string; readonly path: string };
  /** The question to the registry is not one it takes; every issue is listed. */
  REGISTRY_QUERY_INVALID: { readonly issues: readonly string[] };
  /** The registry has no stage of this id. */
  REGISTRY_STAGE_UNKNOWN: { readonly reference: string };
  /** Several stages of the registry have an id that begins so. */
  REGISTRY_STAGE_AMBIGUOUS: { readonly reference: string; readonly matches: readonly string[] };
  /** The body is no JSON, or is not called so. */
  REGISTRY_BODY_INVALID: { readonly reason: string };
  /** The body is larger than any stage; the limit in bytes. */
  REGISTRY_BODY_TOO_LARGE: { readonly limit_bytes: number };
  /** What was pushed is no record of a stage; every issue is listed. */
  REGISTRY_RECORD_INVALID: { readonly issues: readonly string[] };
  /** A pushed record is not what it says, or nobody the registry trusts signed it; every issue is listed. */
  REGISTRY_RECORD_REFUSED: {
    readonly stage: string;
    readonly id: string;
    readonly issues: readonly string[];
  };
  /** The registry holds the id with other content, in these fields. */
  REGISTRY_STAGE_DIFFERS: {
    readonly stage: string;
    readonly id: string;
    readonly fields: readonly string[];
  };
  /** The registry's stage store became unreadable or was changed by another hand: what it held before is served, and nothing is pushed. */
  REGISTRY_STORE_STALE: { readonly problem: string };
  /** The registry could not answer; its log says why. */
  REGISTRY_FAILED: object;
  /** The registry answered a push with a refusal, or with what is no answer of one; the status in `status`, its own code in `answer`. */
  REGISTRY_PUSH_REFUSED: {
    readonly host: string;
    readonly status: number;
    readonly answer: string | null;
    readonly reason: string;
    readonly problems: readonly string[];
  };
}

const list = (issues: readonly string[]): string => issues.map((issue) => `\n  - ${issue}`).join('');

const messages: Messages<RegistryErrorDetails> = {
  REGISTRY_STORE_MISSING: ({ path }) => `no stage store at ${path}: there is nothing to serve`,
  REGISTRY_READS_OPEN: ({ host }) =>
    `on ${host} other machines could read every stage, and no read key is set`,
  REGISTRY_KEY_INVALID: ({ name, reason }) => `the variable ${name} holds no key: ${reason}`,
  REGISTRY_PORT_IN_USE: ({ port, host }) => `port ${port} on ${host} is in use by another process`,
  REGISTRY_HOST_INVALID: ({ host }) => `cannot listen on ${host}: it is no address of this machine`,
  REGISTRY_KEY_REQUIRED: ({ reason }) =>
    reason === 'missing'
      ? 'a key is needed, in the header X-API-Key'
      : 'the key in the header X-API-Key is none of this registry',
  REGISTRY_PUSH_FORBIDDEN: ({ reason }) =>
    reason === 'key' ? 'this key may read and not push' : 'nothing can be pushed here: no write key is set',
  REGISTRY_ROUTE_UNKNOWN: ({ method, path }) => `the registry has no ${method} ${path}`,
  REGISTRY_QUERY_INVALID: ({ issues }) => `the question is not one the registry takes:${list(issues)}`,
  REGISTRY_STAGE_UNKNOWN: ({ reference }) => `the registry has no stage ${reference}`,
  REGISTRY_STAGE_AMBIGUOUS: ({ reference, matches }) =>
    `${matches.length} stages have an id that begins with ${reference}: ${matches.slice(0, 5).join(', ')}`,
  REGISTRY_BODY_INVALID: ({ reason }) => `the body is no stage: ${reason}`,
  REGISTRY_BODY_TOO_LARGE: ({ limit_bytes }) => `the stage is larger than ${limit_bytes} bytes`,
  REGISTRY_RECORD_INVALID: ({ issues }) => `what was pushed is no record of a stage:${list(issues)}`,
  REGISTRY_RECORD_REFUSED: ({ stage, id, issues }) =>
    `stage ${stage} ${id.slice(0, 16)} is not taken:${list(issues)}`,
  REGISTRY_STAGE_DIFFERS: ({ stage, id, fields }) =>
    `the registry holds stage ${stage} ${id.slice(0, 16)} with another ${fields.join(', ')}`,
  REGISTRY_STORE_STALE: ({ problem }) =>
    `nothing can be pushed while the registry's stage store is not what it was (${problem})`,
  REGISTRY_FAILED: () => 'the registry could not answer; its log says why',
  REGISTRY_PUSH_REFUSED: ({ host, status, reason, problems }) =>
    `${host} answered HTTP ${status}: ${reason}${problems.length === 0 || reason.includes('\n') ? '' : list(problems)}`,
};

const hints: Partial<{ readonly [C in keyof RegistryErrorDetails]: string }> = {
  REGISTRY_READS_OPEN:
    'set NOETHER_REGISTRY_READ_KEY, or say --public if everybody who reaches this address may read',
  REGISTRY_KEY_INVALID: 'make one: openssl rand -hex 32',
  REGISTRY_HOST_INVALID: 'name an address this machine has: ip address',
  REGISTRY_PUSH_FORBIDDEN: 'the registry knows write keys by its variable NOETHER_REGISTRY_WRITE_KEY',
  REGISTRY_ROUTE_UNKNOWN: 'GET /health, GET /stages, GET /stages/:id and POST /stages are what there is',
  REGISTRY_STAGE_UNKNOWN: 'GET /stages?lifecycle=all lists every stage; an id is 64 hex digits',
  REGISTRY_STAGE_AMBIGUOUS: 'write more of its id',
  REGISTRY_STAGE_DIFFERS:
    'what an id covers cannot change; say it in another implementation, which has another id',
};

/** A registry does not start, or refuses a request; a push that was refused. */
export class RegistryError<
  C extends keyof RegistryErrorDetails = keyof RegistryErrorDetails,
> extends CodedError<RegistryErrorDetails, C> {
  override readonly name = 'RegistryError';

  constructor(code: C, details: RegistryErrorDetails[C], options: CodedErrorOptions = {}) {
    const hint = options.hint ?? hints[code];
    super(code, details, messages[code](details), hint === undefined ? options : { ...options, hint });
  }
}
