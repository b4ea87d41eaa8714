import Table from 'cli-table3';

/** One measured row: median and spread of its runs. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly values: readonly number[];
}

/** The middle value; the mean of the two middle ones of an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.slice(Math.ceil(sorted.length / 2) - 1, Math.floor(sorted.length / 2) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** Rows as they are printed: what, median, smallest, largest, runs. */
export function render(rows: readonly Row[]): string {
  const table = new Table({
    head: ['what', 'median', 'min', 'max', 'runs', 'unit'],
    style: { head: [], border: [] },
  });
  const show = (value: number): string => value.toFixed(value >= 100 ? 0 : value >= 1 ? 1 : 2);
  for (const { what, unit, values } of rows) {
    table.push([
      what,
      show(median(values)),
      show(Math.min(...values)),
      show(Math.max(...values)),
      String(values.length),
      unit,
    ]);
  }
  return table.toString();
}
