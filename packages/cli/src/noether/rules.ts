import type { Policy } from '@caloron/noether';
import type { RunRules } from '@caloron/scheduler/runtime';
import type { Command } from 'commander';

import { CliError } from '../errors.ts';

/** The options of {@link withPolicyOptions} and {@link withRunOptions} as commander gives them. */
export interface RuleOptions {
  readonly allowEffects?: string;
  readonly allowCapabilities?: string;
  readonly allowHosts?: string;
  readonly budgetCents?: string;
  readonly timeout?: string;
  readonly concurrency?: string;
  readonly traceValues?: boolean;
}

/** Longest deadline, ms: what a timer can wait for. */
const MAX_TIMEOUT_MS = 2_147_483_647;
const MAX_CONCURRENCY = 1_000;

/** Gives a command the options that say what a graph may do. */
export function withPolicyOptions(command: Command): Command {
  return command
    .option('--allow-effects <list>', 'refuse other effects: pure,fallible,network,…; "" allows none')
    .option('--allow-capabilities <list>', 'refuse other capabilities: kv.read,http,…; "" allows none')
    .option('--allow-hosts <list>', 'refuse requests to other hosts; "" allows none')
    .option(
      '--registry <url>',
      'look up stages there that the stage store has not (default: NOETHER_REGISTRY)',
    )
    .option('--budget-cents <n>', 'refuse and stop what costs more, by what stages declare');
}

/** Gives a command the options that say how a graph is run. */
export function withRunOptions(command: Command): Command {
  return withPolicyOptions(command)
    .option('--timeout <time>', 'stop the run after so long: 500ms, 30s, 5m; a bare number is ms')
    .option('--concurrency <n>', 'stage calls at once (default: 16)')
    .option('--trace-values', 'keep what each stage was given and gave in the trace, secrets hidden');
}

/** Reads the options. Throws CLI_USAGE. */
export function rulesOf(options: RuleOptions): RunRules {
  const { budgetCents, timeout, concurrency, traceValues } = options;
  const policy = policyOf(options);
  return {
    ...(policy && { policy }),
    ...(budgetCents !== undefined && { budget_cents: numberOf('--budget-cents', budgetCents, cents) }),
    ...(timeout !== undefined && { timeout_ms: numberOf('--timeout', timeout, duration) }),
    ...(concurrency !== undefined && { concurrency: numberOf('--concurrency', concurrency, count) }),
    ...(traceValues === true && { trace_values: true }),
  };
}

/** A list of words; an empty text is an empty list, which allows nothing. */
function wordsOf(text: string): readonly string[] {
  return text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function policyOf({ allowEffects, allowCapabilities, allowHosts }: RuleOptions): Policy | undefined {
  if (allowEffects === undefined && allowCapabilities === undefined && allowHosts === undefined)
    return undefined;
  return {
    ...(allowEffects !== undefined && { effects: wordsOf(allowEffects) }),
    ...(allowCapabilities !== undefined && { capabilities: wordsOf(allowCapabilities) }),
    ...(allowHosts !== undefined && { hosts: wordsOf(allowHosts) }),
  };
}

/** How the text of an option is read: undefined where it is not of the form `expected` describes. */
interface NumberForm {
  readonly expected: string;
  readonly read: (text: string) => number | undefined;
}

const cents: NumberForm = {
  expected: 'a whole number of cents from 0',
  read: (text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined),
};

const count: NumberForm = {
  expected: `a whole number from 1 to ${MAX_CONCURRENCY}`,
  read: (text) =>
    /^\d{1,4}$/.test(text) && Number(text) >= 1 && Number(text) <= MAX_CONCURRENCY ? Number(text) : undefined,
};

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time as `500ms`, `1.5s`, `5m`, `2h` or `7d`; a bare number is milliseconds. Undefined when it is none. */
export function durationMs(text: string): number | undefined {
  const [, amount, unit = 'ms'] = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)?$/.exec(text) ?? [];
  const factor = UNIT_MS[unit];
  return amount === undefined || factor === undefined ? undefined : Math.round(Number(amount) * factor);
}

const duration: NumberForm = {
  expected: 'a time from 1ms to 24d, as 500ms, 30s, 5m',
  read: (text) => {
    const ms = durationMs(text);
    return ms === undefined || ms < 1 || ms > MAX_TIMEOUT_MS ? undefined : ms;
  },
};

/** A number of an option. Throws CLI_USAGE. */
function numberOf(option: string, text: string, { expected, read }: NumberForm): number {
  const value = read(text);
  if (value !== undefined) return value;
  throw new CliError('CLI_USAGE', {
    problem: `${option}: expected ${expected}, got ${JSON.stringify(text)}`,
  });
}

/** A whole number from 1 of an option, as `--limit 20`. Throws CLI_USAGE. */
export function limitOf(option: string, text: string): number {
  return numberOf(option, text, {
    expected: 'a whole number from 1',
    read: (given) => (/^[1-9]\d{0,8}$/.test(given) ? Number(given) : undefined),
  });
}
