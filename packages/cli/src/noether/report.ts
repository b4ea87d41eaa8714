import type { CheckReport, PlanCost } from '@caloron/noether';

import { cutTo, oneLine, padTo } from '../width.ts';

/** How a report is shown. */
export interface ReportView {
  /** Every warning with its place, and no line cut. */
  readonly verbose: boolean;
  /** Columns there are; undefined where lines may be of any length. */
  readonly columns: number | undefined;
}

/** A checked graph for people: types per edge, effects, plan, cost, warnings. */
export function showReport(title: string, report: CheckReport, { verbose, columns }: ReportView): string {
  const { effects, capabilities } = report;
  const lines = [
    title,
    `  composition  ${report.composition_id}`,
    `  input        ${report.input}`,
    `  output       ${report.output}`,
    `  effects      ${effects.join(', ') || '-'}`,
    `  capabilities ${capabilities.join(', ') || '-'}`,
    `  cost         ${showCost(report.plan.cost)}`,
    ...section('plan', planLines(report)),
    ...section('types', typeLines(report)),
    ...section('', showWarnings(report, verbose)),
  ];
  const fits = columns === undefined || verbose;
  return lines.map((line) => (fits ? line : cutTo(oneLine(line), columns))).join('\n');
}

function section(title: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return ['', ...(title === '' ? [] : [`  ${title}`]), ...lines];
}

function showCost({ time_ms_p50, tokens_est, memory_mb, cents }: PlanCost): string {
  const parts = [
    cents === null ? [] : [`${cents} cents`],
    time_ms_p50 === null ? [] : [`about ${time_ms_p50} ms`],
    tokens_est === null ? [] : [`about ${tokens_est} tokens`],
    memory_mb === null ? [] : [`${memory_mb} MB`],
  ].flat();
  return parts.join(', ') || 'none declared';
}

/** One line a step: its number, effects, and the steps it waits for. */
function planLines({ plan, steps }: CheckReport): readonly string[] {
  const facts = new Map(steps.map((step) => [step.path, step]));
  const before = new Map(plan.steps.map(({ index, depends_on }) => [index, new Set(depends_on)]));
  /** Without those that others of them wait for anyway. */
  const last = (waited: readonly number[]): readonly number[] =>
    waited.filter((step) => !waited.some((other) => before.get(other)?.has(step)));
  const rows = plan.steps.map(({ index, path, stage, depends_on }) => {
    const { effects = [], calls = [] } = facts.get(path) ?? {};
    return [
      String(index),
      stage,
      effects.join(', '),
      [
        ...(depends_on.length === 0 ? [] : [`after ${last(depends_on).join(', ')}`]),
        ...(calls.length === 0 ? [] : [`calls ${calls.join(', ')}`]),
      ].join('; '),
      path,
    ];
  });
  const together = plan.groups.map((group) => group.join(', '));
  return [...aligned(rows), ...(together.length === 0 ? [] : [`    at once: ${together.join(' | ')}`])];
}

function typeLines({ edges }: CheckReport): readonly string[] {
  return edges.flatMap(({ path, from, to, gives }) => [
    `    ${path}`,
    `      takes ${from}${to === from || to === 'Any' ? '' : ` as ${to}`}`,
    ...(gives === null ? [] : [`      gives ${gives}`]),
  ]);
}

function aligned(rows: readonly (readonly string[])[]): readonly string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows.map((row) =>
    `    ${row.map((cell, column) => padTo(cell, widths[column] ?? 0)).join('  ')}`.trimEnd(),
  );
}

const ID = /[0-9a-f]{64}/g;

/** Warnings with stage names for ids; those that say the same of several places are one line unless each is asked for. */
export function showWarnings({ steps, warnings }: CheckReport, verbose: boolean): readonly string[] {
  const names = new Map(steps.map(({ stage_id, stage }) => [stage_id, stage]));
  const name = (id: string): string => names.get(id) ?? id;
  const groups = new Map<string, string[]>();
  for (const text of warnings) {
    const said = text.slice(text.indexOf(': ') + 2).replaceAll(ID, 'STAGE');
    groups.set(said, [...(groups.get(said) ?? []), text]);
  }
  return [...groups].flatMap(([said, group]) => {
    if (verbose || group.length === 1) return group.map((text) => `  warning: ${text.replaceAll(ID, name)}`);
    const stages = [...new Set(group.flatMap((text) => text.match(ID) ?? []).map(name))];
    return `  warning: ${said} (${group.length} places: ${stages.join(', ')}; --verbose lists them)`;
  });
}
