/** One of the five fields: what it counts, its least and greatest value, and the names that stand for numbers from `min` on. */
interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** The fields of crontab(5), in their order; 0 and 7 are both Sunday. */
const FIELDS: readonly Field[] = [
  { name: 'minute', min: 0, max: 59, names: [] },
  { name: 'hour', min: 0, max: 23, names: [] },
  { name: 'day of month', min: 1, max: 31, names: [] },
  { name: 'month', min: 1, max: 12, names: MONTHS },
  { name: 'weekday', min: 0, max: 7, names: WEEKDAYS },
];

/** What words like @daily stand for. */
const WORDS: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * 0',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
};

const PART = /^(?:\*|(?<from>\w+)(?:-(?<to>\w+))?)(?:\/(?<step>\d+))?$/;

/** Says everything that is wrong with the five fields of a cron expression; empty when nothing is. */
export function fieldProblems(expression: string): readonly string[] {
  const written = expression.trim();
  const fields = written === '' ? [] : written.split(/\s+/);
  if (fields.length !== FIELDS.length) {
    const word = Object.entries(WORDS).find(([name]) => name === written.toLowerCase());
    const six = fields.length === FIELDS.length + 1 ? '; there is no field for seconds' : '';
    const meant = word === undefined ? six : `; write ${JSON.stringify(word[1])}`;
    const got = `${fields.length}: ${JSON.stringify(expression)}`;
    return [`expected five fields (minute hour day month weekday), got ${got}${meant}`];
  }
  return FIELDS.flatMap((field, index) =>
    (fields[index] ?? '').split(',').flatMap((part) => {
      const problem = partProblem(field, part);
      return problem === undefined ? [] : [`${field.name}: ${problem}`];
    }),
  );
}

function partProblem(field: Field, part: string): string | undefined {
  const { min, max } = field;
  const found = PART.exec(part);
  if (found === null)
    return `${JSON.stringify(part)} is none of *, ${min}, ${min}-${max}, */2, ${min}-${max}/2`;
  const { from, to, step } = found.groups ?? {};
  const low = from === undefined ? min : valueOf(field, from);
  const high = to === undefined ? low : valueOf(field, to);
  for (const [text, value] of [
    [from, low],
    [to, high],
  ] as const)
    if (value === undefined || value < min || value > max) return `${text ?? ''} is outside ${min} to ${max}`;
  if (to !== undefined && Number(low) > Number(high))
    return `${part} runs backwards; write it as two ranges, as ${String(from)}-${max},${min}-${to}`;
  if (step === undefined) return undefined;
  if (from !== undefined && to === undefined)
    return `${part} has a step without a range; write ${from}-${max}/${step}`;
  const width = max - min + 1;
  return Number(step) < 1 || Number(step) > width ? `the step ${step} is outside 1 to ${width}` : undefined;
}

function valueOf({ names, min }: Field, text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const index = names.indexOf(text.toUpperCase());
  return index < 0 ? undefined : index + min;
}
