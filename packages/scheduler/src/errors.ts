import { CodedError, type CodedErrorOptions, messageOf, type Messages } from '@caloron/noether/errors';

/** Why the scheduler or a composition run could not start. */
export interface SchedulerErrorDetails {
  /** The config path names no readable file. */
  SCHEDULER_CONFIG_MISSING: { readonly path: string; readonly reason: string };
  /** The config was read and refused; every problem is listed. */
  SCHEDULER_CONFIG_INVALID: { readonly path: string; readonly problems: readonly string[] };
  /** CALORON_LOG_LEVEL is no level. */
  SCHEDULER_LOG_LEVEL_INVALID: { readonly given: string; readonly expected: readonly string[] };
  /** No job of the config has the name. */
  SCHEDULER_JOB_UNKNOWN: { readonly name: string; readonly path: string };
  /** A job's or command's graph file cannot be read. */
  SCHEDULER_GRAPH_MISSING: { readonly path: string; readonly reason: string };
  /** The stage store has no file at its path. */
  SCHEDULER_STORE_MISSING: { readonly path: string };
  /** The stage store holds stages whose code is not this program's. */
  SCHEDULER_STORE_STALE: { readonly path: string; readonly stages: readonly string[] };
  /** The port is taken by another process. */
  SCHEDULER_PORT_IN_USE: { readonly port: number; readonly host: string };
  /** The address to listen on is not one of this machine. */
  SCHEDULER_HOST_INVALID: { readonly host: string; readonly reason: string };
  /** A request to the scheduler's port has a parameter that is none. */
  SCHEDULER_QUERY_INVALID: { readonly name: string; readonly reason: string };
  /** A delivery's signature is missing, of another secret, or of another body. */
  WEBHOOK_SIGNATURE_INVALID: { readonly reason: string };
  /** A signed delivery is not one of a forge. */
  WEBHOOK_INVALID: { readonly problem: string };
  /** A delivery is larger than any of a forge; the limit in bytes. */
  WEBHOOK_TOO_LARGE: { readonly limit: number };
  /** A job's webhook leads to an address that is not of the internet, and that nobody allowed. */
  WEBHOOK_ADDRESS_REFUSED: { readonly host: string; readonly address: string; readonly range: string };
  /** A job's webhook could not be sent: its host has no address, takes no connection, or ended it. */
  WEBHOOK_UNREACHABLE: { readonly host: string; readonly reason: string };
  /** A job's webhook was not answered in time. */
  WEBHOOK_TIMEOUT: { readonly host: string; readonly timeout_ms: number };
  /** A job's signed webhook was answered with another status than 2xx. */
  WEBHOOK_NOT_TAKEN: { readonly host: string; readonly status: number };
  /** The variable that `secret_env` of a webhook names holds no secret to sign with. */
  WEBHOOK_SECRET_INVALID: { readonly name: string; readonly reason: string };
  /** Too many deliveries to one host wait already. */
  WEBHOOK_CROWDED: { readonly host: string; readonly waiting: number };
  /** caloron.json was read and refused. */
  PROJECT_CONFIG_INVALID: { readonly path: string; readonly problems: readonly string[] };
}

const list = (problems: readonly string[]): string => problems.map((problem) => `\n  - ${problem}`).join('');

const messages: Messages<SchedulerErrorDetails> = {
  SCHEDULER_CONFIG_MISSING: ({ path, reason }) => `Failed to read config from ${path}: ${reason}`,
  SCHEDULER_CONFIG_INVALID: ({ path, problems }) =>
    `Invalid scheduler config JSON in ${path}:${list(problems)}`,
  SCHEDULER_LOG_LEVEL_INVALID: ({ given, expected }) =>
    `CALORON_LOG_LEVEL is ${JSON.stringify(given)}, expected one of ${expected.join(', ')}`,
  SCHEDULER_JOB_UNKNOWN: ({ name, path }) => `no job in ${path} is called ${JSON.stringify(name)}`,
  SCHEDULER_GRAPH_MISSING: ({ path, reason }) => `cannot read the graph ${path}: ${reason}`,
  SCHEDULER_STORE_MISSING: ({ path }) => `no stage store at ${path}: no stage in a graph can be found`,
  SCHEDULER_STORE_STALE: ({ path, stages }) =>
    `the stage store ${path} was written from other code than is running; it differs in: ${stages.join(', ')}`,
  SCHEDULER_PORT_IN_USE: ({ port, host }) => `port ${port} on ${host} is in use by another process`,
  SCHEDULER_HOST_INVALID: ({ host, reason }) => `cannot listen on ${host}: ${reason}`,
  SCHEDULER_QUERY_INVALID: ({ name, reason }) => `?${name}: ${reason}`,
  WEBHOOK_SIGNATURE_INVALID: ({ reason }) => `the signature of the delivery does not hold: ${reason}`,
  WEBHOOK_INVALID: ({ problem }) => `the delivery is not one of a forge: ${problem}`,
  WEBHOOK_TOO_LARGE: ({ limit }) => `the delivery is larger than ${limit} bytes`,
  WEBHOOK_ADDRESS_REFUSED: ({ host, address, range }) =>
    host === address
      ? `${host} is no address of the internet (${range})`
      : `${host} is at ${address}, which is no address of the internet (${range})`,
  WEBHOOK_UNREACHABLE: ({ host, reason }) => `${host} cannot be reached: ${reason}`,
  WEBHOOK_TIMEOUT: ({ host, timeout_ms }) => `${host} did not answer within ${timeout_ms} ms`,
  WEBHOOK_NOT_TAKEN: ({ host, status }) => `${host} answered HTTP ${status}`,
  WEBHOOK_SECRET_INVALID: ({ name, reason }) =>
    `the variable ${name} holds no secret of a webhook: ${reason}`,
  WEBHOOK_CROWDED: ({ host, waiting }) => `${waiting} deliveries to ${host} wait already`,
  PROJECT_CONFIG_INVALID: ({ path, problems }) => `${path} is not a valid project config:${list(problems)}`,
};

const hints: Partial<{ readonly [C in keyof SchedulerErrorDetails]: string }> = {
  SCHEDULER_CONFIG_INVALID: 'correct these places in the file and start again',
  PROJECT_CONFIG_INVALID: 'correct these places in the file; ./caloron doctor checks it',
  SCHEDULER_LOG_LEVEL_INVALID: 'set it to one of these, or unset it for info',
  SCHEDULER_HOST_INVALID: 'name an address this machine has: ip address',
  WEBHOOK_ADDRESS_REFUSED: 'list the host, its address or its network in CALORON_WEBHOOK_ALLOW',
  WEBHOOK_SECRET_INVALID: 'make one: echo "whsec_$(openssl rand -base64 32)"',
  WEBHOOK_SIGNATURE_INVALID:
    'the secret of the webhook on the forge has to be the value of CALORON_WEBHOOK_SECRET; a signature is SHA-256',
};

/** The scheduler refused its input or could not start. */
export class SchedulerError<
  C extends keyof SchedulerErrorDetails = keyof SchedulerErrorDetails,
> extends CodedError<SchedulerErrorDetails, C> {
  override readonly name = 'SchedulerError';

  constructor(code: C, details: SchedulerErrorDetails[C], options: CodedErrorOptions = {}) {
    const hint = options.hint ?? hints[code];
    super(code, details, messages[code](details), hint === undefined ? options : { ...options, hint });
  }
}

/** Why a file cannot be read, without its path. */
export function unreadable(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file';
    case 'EISDIR':
      return 'it is a directory';
    case 'EACCES':
      return 'this user may not read it';
    case 'ENAMETOOLONG':
    case 'ERR_INVALID_ARG_VALUE':
      return 'this is no path';
    case 'ELOOP':
      return 'its links lead round in a circle';
    default:
      return messageOf(error);
  }
}
