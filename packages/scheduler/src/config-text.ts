import { SchedulerError, unreadable } from './errors.ts';
import { readJsonText } from './json-text.ts';
import { readTextFile } from './text-file.ts';

/** Who is told of so many corrects what they have in common first. */
const MOST_PROBLEMS = 100;

/** The JSON of a config, whatever it says. Throws SCHEDULER_CONFIG_MISSING, and SCHEDULER_CONFIG_INVALID by line and column. */
export function readConfigValue(path: string): unknown {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    const hint = missingHint(error);
    throw new SchedulerError(
      'SCHEDULER_CONFIG_MISSING',
      { path, reason: unreadable(error) },
      { cause: error, hint },
    );
  }
  const { value, problems } = readJsonText(text);
  if (problems !== undefined) throw invalidConfig(path, problems);
  return value;
}

/** The next step where a config cannot be read: another place where there is none, the file or its rights where there is one. */
function missingHint(error: unknown): string {
  switch (error instanceof Error && 'code' in error ? error.code : undefined) {
    case 'ENOENT':
    case 'ENOTDIR':
      return './caloron init --repo owner/name writes one; --config PATH names another, counted from the working directory';
    case 'EACCES':
      return 'let the user that the scheduler runs as read it and pass the folders above it: chmod, chown';
    default:
      return '--config PATH names the file, counted from the working directory';
  }
}

/** The fields of what may be a record; none of anything else. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The jobs a config has, whatever they are; none where there is no list of them. */
export function jobsOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  const { jobs } = fieldsOf(value);
  return Array.isArray(jobs) ? jobs.map(fieldsOf) : [];
}

/** SCHEDULER_CONFIG_INVALID; of very many problems the first are told, and how many there are. */
export function invalidConfig(
  path: string,
  problems: readonly string[],
): SchedulerError<'SCHEDULER_CONFIG_INVALID'> {
  const rest = problems.length - MOST_PROBLEMS;
  const told = rest > 0 ? [...problems.slice(0, MOST_PROBLEMS), `and ${rest} more`] : problems;
  return new SchedulerError('SCHEDULER_CONFIG_INVALID', { path, problems: told });
}
