import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import { VERSION } from '@caloron/types/version';

import { CliError, type RunProblem } from './errors.ts';

/** How a command answers. */
export type OutputFormat = 'text' | 'json' | 'table';

/** Where a command writes. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** The terminal that `out` shows on; absent where it goes to a file or a program. */
  readonly terminal?: Terminal;
}

/** A terminal as answers fit themselves to it. */
export interface Terminal {
  readonly columns: number;
  /** Lines it shows; absent where it does not tell. */
  readonly rows?: number;
  /** Whether it shows colours and wants them. */
  readonly colours: boolean;
}

/** What a command found out. */
export interface Answer {
  /** Goes into the JSON envelope whole. */
  readonly data: unknown;
  /** For people; a final newline is added. */
  readonly text: string;
  /** For `--output table`; the text stands in when there is none. */
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
  /** 0 unless told. */
  readonly exit_code?: number;
  /** It told what happened line by line: its JSON envelope is a line too, the last one. */
  readonly streamed?: boolean;
}

/** A number of things in words: `1 stage`, `2 stages`. */
export function counted(n: number, thing: string): string {
  return `${n} ${thing}${n === 1 ? '' : 's'}`;
}

/** A value as JSON for people, indented by two. Throws CLI_OUTPUT_FAILED for one that is longer than a text can be. */
export function jsonText(value: unknown): string {
  try {
    return JSON.stringify(value, null, 2);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new CliError(
      'CLI_OUTPUT_FAILED',
      { reason: 'as JSON it is longer than a text can be' },
      { cause: error, hint: 'let the graph give less, or write to files what it gives' },
    );
  }
}

/** Writes an answer in the asked form; JSON is the ACLI envelope. */
export async function writeAnswer(
  io: Io,
  command: string,
  format: OutputFormat,
  answer: Answer,
): Promise<void> {
  if (format === 'json') {
    const envelope = { ok: true, command, data: answer.data, meta: { version: VERSION } };
    io.out(`${answer.streamed === true ? JSON.stringify(envelope) : jsonText(envelope)}\n`);
  } else if (format === 'table' && answer.table !== undefined) {
    const { renderTable } = await import('./table.ts');
    io.out(`${renderTable(answer.table.head, answer.table.rows)}\n`);
  } else if (answer.text !== '') {
    io.out(`${answer.text}\n`);
  }
}

/** The code a failure is known by: a run's own reason rather than that a run failed. */
function publicCode(error: unknown): string {
  if (!(error instanceof CliError)) return codeOf(error);
  return runProblem(error)?.code ?? error.code;
}

function runProblem(error: unknown): RunProblem | undefined {
  if (!(error instanceof CliError)) return undefined;
  const failed = error.code === 'CLI_RUN_REFUSED' || error.code === 'CLI_RUN_FAILED';
  return failed ? (error as CliError<'CLI_RUN_REFUSED' | 'CLI_RUN_FAILED'>).details : undefined;
}

/** Writes a failure: the envelope on stdout for JSON, a sentence with its code and the next step on stderr else. */
export function writeFailure(io: Io, command: string, format: OutputFormat, error: unknown): void {
  const code = publicCode(error);
  const message = messageOf(error);
  const hint = error instanceof CodedError ? error.hint : undefined;
  if (format === 'json') {
    const { run_id, path, problems } = runProblem(error) ?? {};
    const body = { code, message, hint, path, run_id, problems };
    io.out(`${jsonText({ ok: false, command, error: body, meta: { version: VERSION } })}\n`);
    return;
  }
  io.err(`${command}: ${message} [${code}]\n`);
  if (hint !== undefined) io.err(`  next: ${hint}\n`);
}

/** Exit code of a command a person interrupted. */
export const INTERRUPTED = 130;

/** Reasons of a failed run that lie in what it was given: another input, name or variable helps, and nothing was done yet. */
const INPUT_CODES: ReadonlySet<string> = new Set([
  'SPRINT_UNKNOWN',
  'SPRINT_REPO_MISMATCH',
  'SPRINT_HOST_MISMATCH',
  'STAGE_INPUT_INVALID',
  'KICKOFF_BRIEF_EMPTY',
  'KICKOFF_DAG_INVALID',
  'KICKOFF_REPO_EMPTY',
  'KICKOFF_REPO_READONLY',
  'KICKOFF_SPRINT_ACTIVE',
  'KICKOFF_SPRINT_EXISTS',
  'KICKOFF_TOO_MANY_TASKS',
  'FORGE_HOST_INVALID',
  'FORGE_NOT_FOUND',
  'FORGE_REPO_INVALID',
  'FORGE_TOKEN_MALFORMED',
  'FORGE_TOKEN_MISSING',
  'FORGE_TOKEN_NOT_ALLOWED',
  'FORGE_TOKEN_OTHER_HOST',
]);

/** Failures that lie neither in what was given nor in what is not there. */
const FAILURE_CODES: ReadonlySet<string> = new Set([
  'CLI_OUTPUT_FAILED',
  'CLI_SERVICE_FAILED',
  'CLI_DEMO_UNFINISHED',
  'STORE_AUTHOR_KEY_FAILED',
  'STORE_VALUE_INVALID',
  'STORE_ROW_INVALID',
  'STORE_FAILED',
  'STORE_STAGES_FAILED',
]);

/** Stages that are not what they say, or that nobody trusted vouches for. */
const REFUSED_CODES: ReadonlySet<string> = new Set([
  'CLI_RUN_REFUSED',
  'STAGE_CODE_REFUSED',
  'STAGE_SIGNATURE_INVALID',
  'STAGE_TAMPERED',
  'STAGE_UNTRUSTED',
]);

/** 1: bad input or not found; 2: refused before running; 3: failed while running. */
export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  if (REFUSED_CODES.has(code)) return 2;
  if (code === 'CLI_RUN_FAILED') return INPUT_CODES.has(publicCode(error)) ? 1 : 3;
  const known = error instanceof CodedError && !error.retryable;
  return known && !FAILURE_CODES.has(code) ? 1 : 3;
}
