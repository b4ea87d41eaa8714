import { SchedulerError } from './errors.ts';

/** How much is written, from all to nothing. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** The name this program's lines are asked for by. */
const TARGET = 'noether_scheduler';

/** The level that a directive of env_logger asks for, `off` being nothing; null for what asks for no level. */
function levelOf(directive: string): string | null {
  const [target = '', level] = directive.split('=').map((part) => part.trim());
  const asked = (level ?? target).toLowerCase();
  if (asked === 'off') return 'silent';
  return LEVELS.find((known) => known === asked) ?? (target === TARGET ? 'trace' : null);
}

/**
 * The level the log is written at: CALORON_LOG_LEVEL, else what RUST_LOG asks for, as `info` or `noether_scheduler=debug` among others
 * by commas, else `info`. What RUST_LOG asks of other programs is passed over. Throws SCHEDULER_LOG_LEVEL_INVALID for a level of ours nobody knows.
 */
export function logLevelOf(variables: Readonly<Record<string, string | undefined>>): string {
  const given = variables['CALORON_LOG_LEVEL']?.trim() ?? '';
  if (given !== '') {
    const level = LEVELS.find((known) => known === given);
    if (level === undefined)
      throw new SchedulerError('SCHEDULER_LOG_LEVEL_INVALID', { given, expected: LEVELS });
    return level;
  }
  const directives = (variables['RUST_LOG'] ?? '').split(',').map((part) => part.trim());
  const own = directives.findLast((part) => part.split('=')[0]?.trim() === TARGET);
  const all = directives.findLast((part) => part !== '' && !part.includes('=') && part !== TARGET);
  return levelOf(own ?? all ?? 'info') ?? 'info';
}
