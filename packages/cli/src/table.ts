import Table from 'cli-table3';
import stringWidth from 'string-width';

import { oneLine } from './width.ts';

const NO_BORDERS = {
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
} as const;

/** A table without colours or borders; columns are two blanks apart. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: head.map(oneLine),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 0 },
    chars: NO_BORDERS,
  });
  table.push(...rows.map((row) => row.map(oneLine)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** How a table is made to fit a terminal. */
export interface Fit {
  /** Columns of the terminal. */
  readonly columns: number;
  /** Columns of the table that are left out where all would be too wide, the first one first. */
  readonly left_out: readonly string[];
  /** Columns of the table that are left out where no row says anything in them. */
  readonly silent: readonly string[];
  /** So many columns of the last one are enough to begin it: what is longer goes on beyond the edge; all of it when absent. */
  readonly begins?: number;
}

/** A table as it was made to fit. */
export interface Fitted {
  readonly text: string;
  /** Columns of the table that say something and are left out all the same. */
  readonly left_out: readonly string[];
}

/** A table with as many columns as fit into a terminal, without those that say nothing; its lines may still be wider. */
export function renderFitting(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { columns, left_out, silent, begins }: Fit,
): Fitted {
  const says = (at: number): boolean => rows.some((row) => !['', '-'].includes(row[at] ?? ''));
  const mute = head.filter((name, at) => silent.includes(name) && !says(at));
  const last = Math.max(0, ...rows.map((row) => stringWidth(row.at(-1) ?? '')));
  const beyond = begins === undefined ? 0 : Math.max(0, last - begins);
  for (let out = 0; ; out += 1) {
    const left = new Set([...mute, ...left_out.slice(0, out)]);
    const kept = head.flatMap((name, at) => (left.has(name) ? [] : [at]));
    const pick = (cells: readonly string[]): readonly string[] => kept.map((at) => cells[at] ?? '');
    const text = renderTable(pick(head), rows.map(pick));
    const width = Math.max(...text.split('\n').map((line) => stringWidth(line)));
    if (out === left_out.length || width - beyond <= columns)
      return { text, left_out: left_out.slice(0, out).filter((name) => !mute.includes(name)) };
  }
}
