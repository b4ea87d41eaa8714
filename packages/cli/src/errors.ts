import type { CheckProblem } from '@caloron/noether';
import { CodedError, type CodedErrorOptions, type Messages } from '@caloron/noether/errors';

/** Why a run gave no output. */
export interface RunProblem {
  /** The engine's, a stage's or a client's own code. */
  readonly code: string;
  readonly message: string;
  /** Null when nothing was run: a graph was only checked. */
  readonly run_id: string | null;
  /** Node it happened at; null when it concerns the run as a whole. */
  readonly path: string | null;
  /** Every problem of a graph that was refused. */
  readonly problems?: readonly CheckProblem[];
}

/** Why a command could not do what was asked. */
export interface CliErrorDetails {
  /** An argument or option is not of its form. */
  CLI_USAGE: { readonly problem: string; readonly command?: string };
  /** `--input` is not JSON, or names no file that is. */
  CLI_INPUT_INVALID: { readonly reason: string };
  /** An answer is too long to be written, or standard output takes no more: its disk is full. */
  CLI_OUTPUT_FAILED: { readonly reason: string };
  /** A composition was refused before anything ran; `code` is the reason's own. */
  CLI_RUN_REFUSED: RunProblem;
  /** A composition failed while running; `code` is the reason's own. */
  CLI_RUN_FAILED: RunProblem;
  /** Another run of the same kind has the lease that this one needs. */
  CLI_BUSY: { readonly what: string };
  /** Nothing was ever kept in the directory, and the command only looks. */
  CLI_NO_HOME: { readonly dir: string; readonly named: boolean };
  /** There is no sprint to speak of. */
  CLI_NO_SPRINT: { readonly home: string };
  /** The sprint has no such task. */
  CLI_TASK_UNKNOWN: { readonly task: string; readonly sprint: string; readonly known: readonly string[] };
  /** No run, stage or agent of that id. */
  CLI_NOT_FOUND: { readonly what: string; readonly id: string };
  /** A file that was named cannot be read, or is no text. */
  CLI_FILE_UNREADABLE: { readonly path: string; readonly reason: string };
  /** The file is there already and was not replaced. */
  CLI_FILE_EXISTS: { readonly path: string };
  /** A process that was started did not say that it is ready. */
  CLI_SERVICE_FAILED: { readonly service: string; readonly reason: string; readonly log: string };
  /** Processes of this home are running already. */
  CLI_ALREADY_UP: { readonly home: string; readonly services: readonly string[] };
  /** The demo's sprint did not end in time. */
  CLI_DEMO_UNFINISHED: { readonly seconds: number; readonly stuck: string };
}

const messages: Messages<CliErrorDetails> = {
  CLI_USAGE: ({ problem }) => problem,
  CLI_INPUT_INVALID: ({ reason }) => `--input cannot be read as JSON: ${reason}`,
  CLI_OUTPUT_FAILED: ({ reason }) => `the answer cannot be written: ${reason}`,
  CLI_RUN_REFUSED: ({ message }) => message,
  CLI_RUN_FAILED: ({ message }) => message,
  CLI_BUSY: ({ what }) =>
    `another ${what} is running; one whose process was killed holds up others for 30 seconds at most`,
  CLI_NO_HOME: ({ dir, named }) => `there is no .caloron/ in ${dir}${named ? '' : ' or above it'}`,
  CLI_NO_SPRINT: ({ home }) => `no sprint was started in ${home}`,
  CLI_TASK_UNKNOWN: ({ task, sprint, known }) =>
    `sprint ${sprint} has no task ${task}; its tasks: ${known.join(', ')}`,
  CLI_NOT_FOUND: ({ what, id }) => `no ${what} ${id}`,
  CLI_FILE_UNREADABLE: ({ path, reason }) => `cannot read ${path}: ${reason}`,
  CLI_FILE_EXISTS: ({ path }) => `${path} exists and was left as it is`,
  CLI_SERVICE_FAILED: ({ service, reason, log }) => `${service} did not start: ${reason} (its log: ${log})`,
  CLI_ALREADY_UP: ({ home, services }) => `already running for ${home}: ${services.join(', ')}`,
  CLI_DEMO_UNFINISHED: ({ seconds, stuck }) => `the demo's sprint did not end within ${seconds} s: ${stuck}`,
};

/** A command could not do what was asked. */
export class CliError<C extends keyof CliErrorDetails = keyof CliErrorDetails> extends CodedError<
  CliErrorDetails,
  C
> {
  override readonly name = 'CliError';

  constructor(code: C, details: CliErrorDetails[C], options?: CodedErrorOptions) {
    super(code, details, messages[code](details), options);
  }
}
