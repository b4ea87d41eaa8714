import type { Json, StepFinished } from '@caloron/noether';
import colours from 'picocolors';
import stringWidth from 'string-width';

import type { Terminal } from '../output.ts';
import { cutTo, oneLine, padTo } from '../width.ts';

/** What is drawn. */
export interface Waterfall {
  readonly steps: readonly StepFinished[];
  /** When the run began, ms since 1970. */
  readonly begun: number;
  /** How long it took, ms; undefined while it runs or when nobody noted its end. */
  readonly duration_ms: number | undefined;
}

/** Columns of a terminal nobody asked about. */
const DEFAULT_COLUMNS = 120;
const MIN_BAR = 8;
const MIN_NAME = 5;
const MAX_PATH = 48;
const MAX_STAGE = 28;
const INDENT = '  ';
/** Columns of the indent, the blanks between columns, `took`, and `try 12`. */
const FIXED = 2 + 2 + 2 + 2 + 9 + 8;

type Paint = ReturnType<typeof colours.createColors>;

/** One line an attempt: where, what, when, how long as a bar, and how it ended; below it what it was given and gave, where that was kept. */
export function renderWaterfall(
  { steps, begun, duration_ms }: Waterfall,
  terminal: Terminal | undefined,
): string {
  const paint = colours.createColors(terminal?.colours ?? false);
  const columns = terminal?.columns ?? DEFAULT_COLUMNS;
  // Steps are kept in the order they ended; a waterfall falls in the order they began.
  const rows = steps
    .map((step) => ({ step, at: Math.max(0, Date.parse(step.started_at) - begun) }))
    .toSorted((a, b) => a.at - b.at);
  const total = Math.max(1, duration_ms ?? 0, ...rows.map(({ step, at }) => at + step.duration_ms));
  const widths = widthsOf(steps, columns);
  const lines = rows.flatMap(({ step, at }) => [
    rowOf(step, { at, total, widths, columns }, paint),
    ...valuesOf(step, columns, paint),
  ]);
  return [headOf(widths, total, paint), ...lines].join('\n');
}

interface Widths {
  readonly path: number;
  readonly stage: number;
  readonly bar: number;
}

function widthsOf(steps: readonly StepFinished[], columns: number): Widths {
  const longest = (texts: readonly string[], most: number): number =>
    Math.min(Math.max(MIN_NAME, most), Math.max(MIN_NAME, ...texts.map((text) => stringWidth(text))));
  const names = columns - FIXED - MIN_BAR;
  const path = longest(
    steps.map((step) => step.path),
    Math.min(MAX_PATH, Math.floor(names * 0.6)),
  );
  const stage = longest(
    steps.map((step) => step.stage_name),
    Math.min(MAX_STAGE, names - path),
  );
  return { path, stage, bar: Math.max(MIN_BAR, columns - FIXED - path - stage) };
}

function headOf({ path, stage, bar }: Widths, total: number, paint: Paint): string {
  const end = showMs(total);
  const scale = `0${end.padStart(bar - 1)}`;
  return paint.dim(
    `${INDENT}${padTo('path', path)}  ${padTo('stage', stage)}  ${scale}  ${'took'.padStart(9)}`,
  );
}

interface Place {
  readonly at: number;
  readonly total: number;
  readonly widths: Widths;
  readonly columns: number;
}

function rowOf(step: StepFinished, { at, total, widths, columns }: Place, paint: Paint): string {
  const name = [
    padTo(cutTo(oneLine(step.path), widths.path, 'start'), widths.path),
    padTo(cutTo(oneLine(step.stage_name), widths.stage), widths.stage),
  ].join('  ');
  const tone = { ok: paint.green, failed: paint.red, cached: paint.dim }[step.status];
  const took = step.status === 'cached' ? 'cached' : showMs(step.duration_ms);
  const bar = tone(barOf(at, step.duration_ms, total, widths.bar));
  const end = endOf(step);
  const line = `${INDENT}${name}  ${bar}  ${took.padStart(9)}`;
  if (end === '') return line;
  // A failure says its reason below, where there is room for it.
  if (step.status === 'failed')
    return `${line}\n${paint.red(cutTo(oneLine(`${INDENT}${INDENT}${end}`), columns))}`;
  return `${line}  ${end}`;
}

function endOf({ path, attempt, status, error }: StepFinished): string {
  const tried = attempt === 1 ? '' : `try ${attempt}`;
  if (status !== 'failed' || error === null) return tried;
  // The line above says where.
  const message = error.message.startsWith(`${path}: `)
    ? error.message.slice(path.length + 2)
    : error.message;
  return `try ${attempt} failed: ${error.code} ${message}`;
}

function barOf(at: number, took: number, total: number, width: number): string {
  const start = Math.min(width - 1, Math.round((at / total) * width));
  const end = Math.min(width, Math.max(start + 1, Math.round(((at + took) / total) * width)));
  return ' '.repeat(start) + '█'.repeat(end - start) + ' '.repeat(width - end);
}

function valuesOf({ input, output }: StepFinished, columns: number, paint: Paint): readonly string[] {
  const line = (label: string, value: Json | undefined): readonly string[] =>
    value === undefined
      ? []
      : [paint.dim(cutTo(oneLine(`${INDENT}${INDENT}${label} ${JSON.stringify(value)}`), columns))];
  return [...line('in ', input), ...line('out', output)];
}

/** A time as people read it: `0.4 ms`, `31 ms`, `2.50 s`. */
export function showMs(ms: number): string {
  if (ms < 10) return `${Number(ms.toFixed(1))} ms`;
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(2)} s`;
}
