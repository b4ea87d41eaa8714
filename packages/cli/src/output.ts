import { CodedError, codeOf, messageOf } from '@caloron/noether/errors';
import Table from 'cli-table3';

/** How a command answers. */
export type OutputFormat = 'text' | 'json' | 'table';

/** Where a command writes. */
export interface Io {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
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
}

/** The version every envelope names. */
export const VERSION = '0.1.0';

/** A table without colours or heavy borders. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: [...head],
    style: { head: [], border: [], compact: true },
    chars: {
      mid: '',
      'left-mid': '',
      'mid-mid': '',
      'right-mid': '',
      top: '',
      'top-mid': '',
      'top-left': '',
      'top-right': '',
      bottom: '',
      'bottom-mid': '',
      'bottom-left': '',
      'bottom-right': '',
      left: '',
      right: '',
      middle: '  ',
    },
  });
  table.push(...rows.map((row) => [...row]));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Writes an answer in the asked form; JSON is the ACLI envelope. */
export function writeAnswer(io: Io, command: string, format: OutputFormat, answer: Answer): void {
  if (format === 'json') {
    io.out(
      `${JSON.stringify({ ok: true, command, data: answer.data, meta: { version: VERSION } }, null, 2)}\n`,
    );
  } else if (format === 'table' && answer.table !== undefined) {
    io.out(`${renderTable(answer.table.head, answer.table.rows)}\n`);
  } else if (answer.text !== '') {
    io.out(`${answer.text}\n`);
  }
}

/** Writes a failure: the envelope on stdout for JSON, a sentence and the next step on stderr else. */
export function writeFailure(io: Io, command: string, format: OutputFormat, error: unknown): void {
  const code = codeOf(error);
  const message = messageOf(error);
  const hint = error instanceof CodedError ? error.hint : undefined;
  if (format === 'json') {
    const body = { code, message, ...(hint === undefined ? {} : { hint }) };
    io.out(`${JSON.stringify({ ok: false, command, error: body, meta: { version: VERSION } }, null, 2)}\n`);
    return;
  }
  io.err(`${command}: ${message}\n`);
  if (hint !== undefined) io.err(`  next: ${hint}\n`);
}

/** 2: refused before running; 3: failed while running; 130: interrupted; 1: everything else. */
export function exitCodeOf(error: unknown): number {
  switch (codeOf(error)) {
    case 'CLI_RUN_REFUSED':
      return 2;
    case 'CLI_RUN_FAILED':
    case 'CLI_SERVICE_FAILED':
    case 'CLI_DEMO_UNFINISHED':
      return 3;
    default:
      return 1;
  }
}
